"""The chat engine against endpoints that refuse, fail, fall silent, break off, talk nonsense."""

from __future__ import annotations

import socket

import pytest

from backend.domain.errors import (
    EngineBusy,
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnauthorized,
    EngineUnreachable,
    ProductError,
    PromptTooLong,
)
from tests.backend.engines.writing import event, written
from tests.openai_server import (
    Answer,
    Garbage,
    Refusal,
    Reply,
    chat_server,
    too_long,
)

REFUSALS: dict[str, tuple[Answer, type[ProductError], str]] = {
    "wrong key": (Refusal(401, "Incorrect API key"), EngineUnauthorized, "key"),
    "key without rights": (Refusal(403), EngineUnauthorized, "key"),
    "no such model": (Refusal(404, "The model does not exist"), EngineRefused, "does not exist"),
    "bad request": (Refusal(400, "temperature?"), EngineRefused, "temperature?"),
    "rate limit": (Refusal(429, "Slow down"), EngineBusy, "Slow down"),
    "overloaded": (Refusal(503, "Loading model"), EngineBusy, "Loading model"),
    "broken": (Refusal(500, "Oops"), EngineUnreachable, "500"),
    "proxy without server": (Refusal(502, "Bad gateway"), EngineUnreachable, "502"),
    "too long, OpenAI and ours": (too_long(900, 512), PromptTooLong, "900 tokens"),
    "too long, llama-server": (
        Refusal(400, "exceeds", {"type": "exceed_context_size_error", "n_ctx": "?"}),
        PromptTooLong,
        "exceeds",
    ),
    "too long, vLLM": (
        Refusal(400, "This model's maximum context length is 2048 tokens.", {"code": 400}),
        PromptTooLong,
        "2048",
    ),
    "breaks off at once": (Reply(break_after=0), EngineUnreachable, ""),
    "breaks off in the middle": (Reply(break_after=2), EngineUnreachable, ""),
    "ends without an end": (
        Garbage(event(choices=[{"index": 0, "delta": {"content": "a"}}])),
        EngineUnreachable,
        "broke off",
    ),
    "falls silent": (Reply(hang_after=1), EngineTimeout, "in time"),
    "never answers": (Reply(hang_after=0), EngineTimeout, "in time"),
    "a web page": (Garbage(b"<html>Hi</html>", "text/html"), EngineUnreachable, "broke off"),
    "no JSON": (Garbage(b"data: {half\n\n"), EngineError, "no chat completion"),
    "other JSON": (Garbage(b"data: [1, 2]\n\n"), EngineError, "no chat completion"),
    "JSON of other fields": (Garbage(event(surprise=True)), EngineUnreachable, "broke off"),
    "no text at all": (Garbage(b"\xff\xfe\x00\x80\n\n"), EngineError, ""),
    "an error within the stream": (
        Garbage(event(error={"message": "out of memory"})),
        EngineError,
        "out of memory",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_each_way_to_fail_is_an_error_of_its_own(name: str) -> None:
    answer, kind, says = REFUSALS[name]

    with chat_server(answer) as server, pytest.raises(ProductError) as error:
        written(server.base_url, timeout_seconds=0.3)

    assert type(error.value) is kind
    assert says in str(error.value)
    assert len(server.asked) == 1, "trying again is the queue's work"


def test_a_prompt_that_is_too_long_says_by_how_much() -> None:
    with chat_server(too_long(900, 512)) as server, pytest.raises(PromptTooLong) as error:
        written(server.base_url)

    assert (error.value.prompt_tokens, error.value.context_tokens) == (900, 512)


def test_an_endpoint_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        with pytest.raises(EngineUnreachable, match="cannot be reached"):
            written(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")


def test_what_an_endpoint_says_is_cut_to_a_sentence() -> None:
    with (
        chat_server(Refusal(400, "a lot\n" * 999)) as server,
        pytest.raises(EngineRefused) as error,
    ):
        written(server.base_url)

    assert len(str(error.value)) < 450
    assert "\n" not in str(error.value)
