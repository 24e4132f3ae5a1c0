"""The chat engine against an endpoint that behaves, and one that does not."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import aclosing
from dataclasses import replace

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
from backend.domain.prompt import Passage, render
from backend.engines.chat import ChatEngine
from backend.engines.engine import End, Piece, Request, Text
from backend.engines.nearest import NearestEngine
from tests.openai_server import (
    Answer,
    Asked,
    ChatServer,
    Garbage,
    Refusal,
    Reply,
    chat_server,
    refuse_max_tokens,
    too_long,
)

REQUEST = Request(
    question="How do I log in?",
    prompt=render("How do I log in?", steering="Be short"),
    answer_tokens=77,
    temperature=0.25,
)


def engine_at(base_url: str, *, key: str = "secret", timeout_seconds: float = 5.0) -> ChatEngine:
    return ChatEngine(name="m-1", base_url=base_url, key=key, timeout_seconds=timeout_seconds)


async def pieces_of(engine: ChatEngine | NearestEngine, request: Request = REQUEST) -> list[Piece]:
    async with aclosing(engine.write(request)) as stream:
        return [piece async for piece in stream]


def written(base_url: str, *, timeout_seconds: float = 5.0) -> list[Piece]:
    async def run() -> list[Piece]:
        engine = engine_at(base_url, timeout_seconds=timeout_seconds)
        try:
            return await pieces_of(engine)
        finally:
            await engine.aclose()

    return asyncio.run(run())


def test_a_reply_comes_in_the_pieces_it_is_written_in_then_its_end() -> None:
    with chat_server(Reply(pieces=("Привіт", ", ", "світе 🎈"))) as server:
        found = written(server.base_url)

    assert found == [
        Text("Привіт"),
        Text(", "),
        Text("світе 🎈"),
        End("stop", prompt_tokens=10, cached_tokens=4, completion_tokens=3),
    ]


def test_the_endpoint_gets_prompt_limits_and_key() -> None:
    with chat_server() as server:
        written(server.base_url)

    (asked,) = server.asked
    assert asked.headers["authorization"] == "Bearer secret"
    assert asked.body == {
        "model": "m-1",
        "messages": REQUEST.prompt.messages,
        "temperature": 0.25,
        "max_tokens": 77,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(("background", "priority"), [(True, "background"), (False, None)])
def test_what_is_prepared_in_the_background_says_so(background: bool, priority: str | None) -> None:
    request = replace(REQUEST, background=background)

    with chat_server() as server:
        asyncio.run(pieces_of(engine_at(server.base_url), request))

    assert server.asked[0].headers.get("x-priority") == priority


def test_a_reply_cut_at_the_limit_says_so_and_usage_may_be_missing_in_part() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}

    with chat_server(Reply(("a",), finish="length", usage=usage)) as server:
        found = written(server.base_url)

    assert found[-1] == End("length", prompt_tokens=3, cached_tokens=None, completion_tokens=1)


def event(**chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def test_a_server_that_tells_less_than_it_could_is_understood() -> None:
    body = (
        event(choices=[{"index": 0, "delta": {"role": "assistant", "content": None}}])
        + event(choices=[{"index": 0, "delta": {"content": "yes"}}])
        + event(choices=[{"index": 0, "delta": None, "finish_reason": "stop"}])
        + event(choices=None)
        + b"data: [DONE]\n\n"
    )

    with chat_server(Garbage(body)) as server:
        assert written(server.base_url) == [Text("yes"), End("stop")]


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


def test_newer_models_get_the_newer_field_and_are_asked_once_more_only_once() -> None:
    async def twice(base_url: str) -> list[Piece]:
        engine = engine_at(base_url)
        await pieces_of(engine)
        return await pieces_of(engine)

    with chat_server(refuse_max_tokens) as server:
        found = asyncio.run(twice(server.base_url))

    assert found[0] == Text("Hello")
    assert [sorted(asked.body.keys() & FIELDS) for asked in server.asked] == [
        ["max_tokens"],
        ["max_completion_tokens"],
        ["max_completion_tokens"],
    ]


FIELDS = {"max_tokens", "max_completion_tokens"}


async def _first_then(engine: ChatEngine, *, cancel: bool) -> None:
    async def read() -> None:
        async with aclosing(engine.write(REQUEST)) as stream:
            async for _piece in stream:
                begun.set()
                if not cancel:
                    return

    begun = asyncio.Event()
    task = asyncio.create_task(read())
    await begun.wait()
    if cancel:
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "closed"])
def test_giving_up_closes_the_connection_so_that_the_model_stops(cancel: bool) -> None:
    with chat_server(Reply(hang_after=1)) as server:
        begun = time.monotonic()
        asyncio.run(_first_then(engine_at(server.base_url), cancel=cancel))

        assert server.asked[0].closed.wait(1.0)
        assert time.monotonic() - begun < 1.5


def test_cancelling_before_the_first_word_closes_the_connection_too() -> None:
    async def run(server: ChatServer) -> None:
        task = asyncio.create_task(pieces_of(engine_at(server.base_url)))
        while not server.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with chat_server(Reply(hang_after=0)) as server:
        asyncio.run(run(server))

        assert server.asked[0].closed.wait(1.0)


def test_many_replies_at_once_do_not_mix() -> None:
    def echo(asked: Asked) -> Answer:
        name = asked.body["messages"][-1]["content"].split()[1]
        return Reply(pieces=(name,) * 5, seconds_between=0.01)

    async def run(base_url: str) -> list[list[Piece]]:
        engine = engine_at(base_url)
        requests = [replace(REQUEST, prompt=render(f"n{number}")) for number in range(12)]
        return await asyncio.gather(*(pieces_of(engine, request) for request in requests))

    with chat_server(echo) as server:
        found = asyncio.run(run(server.base_url))

    for number, pieces in enumerate(found):
        assert pieces[:-1] == [Text(f"n{number}")] * 5


def test_nearest_writes_what_was_found_in_one_piece() -> None:
    passage = Passage(key="solved:1", kind="solved", title="t", text="Click Reset.")

    found = asyncio.run(pieces_of(NearestEngine(lambda question: passage)))

    assert found == [Text("Click Reset."), End("stop")]


def test_nearest_says_when_nothing_is_close() -> None:
    with pytest.raises(EngineError, match="No solved ticket and no article"):
        asyncio.run(pieces_of(NearestEngine(lambda question: None)))
