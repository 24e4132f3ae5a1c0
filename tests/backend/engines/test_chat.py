"""The chat engine against an endpoint that behaves, and giving up on one that does not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from backend.domain.errors import EngineError
from backend.domain.passage import Passage
from backend.domain.prompt import render
from backend.engines import End, Piece, Text
from backend.engines.chat_endpoint import ChatEngine
from backend.engines.solved_ticket import NearestEngine
from tests.backend.engines.writing import REQUEST, engine_at, event, pieces_of, written
from tests.openai_server import (
    Answer,
    Asked,
    ChatServer,
    Garbage,
    Reply,
    chat_server,
    refuse_max_tokens,
)


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
        written(server.base_url, request)

    assert server.asked[0].headers.get("x-priority") == priority


def test_a_reply_cut_at_the_limit_says_so_and_usage_may_be_missing_in_part() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}

    with chat_server(Reply(("a",), finish="length", usage=usage)) as server:
        found = written(server.base_url)

    assert found[-1] == End("length", prompt_tokens=3, cached_tokens=None, completion_tokens=1)


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


def test_newer_models_get_the_newer_field_and_are_asked_once_more_only_once() -> None:
    async def twice(base_url: str) -> list[Piece]:
        async with engine_at(base_url) as engine:
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


async def _hung_up(server: ChatServer) -> bool:
    """Whether the endpoint sees that its client is gone."""
    return await asyncio.to_thread(server.asked[0].closed.wait, 30.0)


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "closed"])
def test_giving_up_closes_the_connection_so_that_the_model_stops(cancel: bool) -> None:
    async def read(engine: ChatEngine, begun: asyncio.Event) -> None:
        async with aclosing(engine.write(REQUEST)) as stream:
            async for _piece in stream:
                begun.set()
                if not cancel:
                    return

    async def run(server: ChatServer) -> None:
        begun = asyncio.Event()
        async with engine_at(server.base_url) as engine:
            task = asyncio.create_task(read(engine, begun))
            await begun.wait()
            if cancel:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await _hung_up(server)

    with chat_server(Reply(hang_after=1)) as server:
        asyncio.run(run(server))


def test_cancelling_before_the_first_word_closes_the_connection_too() -> None:
    async def run(server: ChatServer) -> None:
        async with engine_at(server.base_url) as engine:
            task = asyncio.create_task(pieces_of(engine))
            while not server.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await _hung_up(server)

    with chat_server(Reply(hang_after=0)) as server:
        asyncio.run(run(server))


def test_many_replies_at_once_do_not_mix() -> None:
    def echo(asked: Asked) -> Answer:
        name = asked.body["messages"][-1]["content"].split()[1]
        return Reply(pieces=(name,) * 5, seconds_between=0.01)

    async def run(base_url: str) -> list[list[Piece]]:
        requests = [replace(REQUEST, prompt=render(f"n{number}")) for number in range(12)]
        async with engine_at(base_url) as engine:
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
