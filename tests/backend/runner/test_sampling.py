"""Which fields a request may have, and in which ranges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.domain.errors import BadInput
from backend.runner.openai_api import MAX_SEED, ChatRequest, Sampling, read_request

MESSAGES = [{"role": "user", "content": "Hi"}]


def read(**fields: Any) -> ChatRequest:
    return read_request({"messages": MESSAGES} | fields, model_name="tiny", default_max_tokens=99)


def test_what_is_not_said_has_a_default() -> None:
    request = read()

    assert request.sampling == Sampling(max_tokens=99)
    assert not request.stream
    assert not request.include_usage


def test_every_known_field_is_read() -> None:
    request = read(
        model="tiny",
        max_tokens=5,
        max_completion_tokens=6,
        temperature=0,
        top_p=0.5,
        seed=MAX_SEED,
        stop=["a", "b"],
        stream=True,
        stream_options={"include_usage": True},
        n=1,
        frequency_penalty=-2,
        presence_penalty=2.0,
        user="somebody",
    )

    assert request.sampling == Sampling(6, 0.0, 0.5, MAX_SEED, ("a", "b"), -2.0, 2.0)
    assert request.stream
    assert request.include_usage


@pytest.mark.parametrize(
    "field", ["temperature", "top_p", "seed", "stop", "stream", "max_tokens", "stream_options"]
)
def test_null_means_not_said(field: str) -> None:
    assert read(**{field: None}) == read()


BAD: list[tuple[str, list[Any]]] = [
    ("max_tokens", [0, -1, 131_073, 1.5, "5", True, [], 10**400]),
    ("max_completion_tokens", [0, -1, 2**40, 1.0, False]),
    ("temperature", [-0.1, 2.1, "1", True, float("nan"), float("inf"), [], {}, 10**400]),
    ("top_p", [-0.1, 1.1, float("nan"), "x"]),
    ("frequency_penalty", [-2.1, 2.1, float("-inf"), "x"]),
    ("presence_penalty", [-2.1, 2.1, float("nan"), True]),
    ("seed", [-1, 2**63, 1.5, "1", True]),
    ("stop", ["", "x" * 65, [""], ["a"] * 5, [1], {}, 5, ["x" * 65]]),
    ("stream", ["true", 1, []]),
    ("stream_options", [{"include_usage": True}, {}, "x"]),
    ("n", [0, 2, -1, 1.0, True]),
    ("model", ["gpt-4", "", 5, None]),
    ("messages", [None, [], {}, "Hi", [5], MESSAGES * 257]),
]


@pytest.mark.parametrize(("field", "value"), [(f, value) for f, values in BAD for value in values])
def test_a_value_out_of_its_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=field):
        read(**{field: value})


UNLISTED = (
    *("n_discard", "id_slot", "lora", "grammar", "cache_prompt", "n_predict", "n_keep"),
    *("logit_bias", "response_format", "tools", "tool_choice", "functions", "logprobs", "top_k"),
    *("min_p", "json_schema", "samplers", "ignore_eos", "best_of", "echo", "suffix"),
    *("mirostat", "image_data", "Temperature", "__proto__"),
)


@pytest.mark.parametrize("field", UNLISTED)
def test_a_field_that_is_not_listed_is_refused_by_name(field: str) -> None:
    values: tuple[Any, ...] = (-1, 2**63, None, "x", [], {})
    for value in values:
        with pytest.raises(BadInput, match=field):
            read(**{field: value})


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "user"},
        {"content": "x"},
        {"role": "tool", "content": "x"},
        {"role": "User", "content": "x"},
        {"role": None, "content": "x"},
        {"role": ["user"], "content": "x"},
        {"role": "user", "content": None},
        {"role": "user", "content": 5},
        {"role": "user", "content": []},
        {"role": "user", "content": ["x"]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///x"}}]},
        {"role": "user", "content": [{"type": "text", "text": 5}]},
        {"role": "user", "content": [{"type": "text", "text": "x", "more": 1}]},
        {"role": "user", "content": "x", "name": "y"},
        {"role": "assistant", "content": "x", "tool_calls": []},
    ],
)
def test_a_message_of_another_shape_is_refused_with_its_place(message: Any) -> None:
    with pytest.raises(BadInput, match=r"messages\[1\]"):
        read(messages=[*MESSAGES, message])


def test_text_parts_are_joined_and_the_developer_is_the_system() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    request = read(messages=[{"role": "developer", "content": parts}])

    assert request.messages == ({"role": "system", "content": "ab"},)


@pytest.mark.parametrize("body", ["5", "null", '"x"', "[]", "true"])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(BadInput, match="JSON object"):
        read_request(json.loads(body), model_name="tiny", default_max_tokens=1)
