"""The chat engine's requests and pieces, for its tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from backend.domain.prompt import render
from backend.engines import Piece, Request
from backend.engines.chat_endpoint import ChatEngine
from backend.engines.solved_ticket import NearestEngine

REQUEST = Request(
    question="How do I log in?",
    prompt=render("How do I log in?", steering="Be short"),
    answer_tokens=77,
    temperature=0.25,
)


@asynccontextmanager
async def engine_at(base_url: str, *, timeout_seconds: float = 5.0) -> AsyncIterator[ChatEngine]:
    """An engine whose connections are closed at the end."""
    engine = ChatEngine(
        name="m-1", base_url=base_url, key="secret", timeout_seconds=timeout_seconds
    )
    try:
        yield engine
    finally:
        await engine.aclose()


async def pieces_of(engine: ChatEngine | NearestEngine, request: Request = REQUEST) -> list[Piece]:
    """All pieces of one reply of an engine that is open."""
    async with aclosing(engine.write(request)) as stream:
        return [piece async for piece in stream]


def written(
    base_url: str, request: Request = REQUEST, *, timeout_seconds: float = 5.0
) -> list[Piece]:
    """All pieces of one reply."""

    async def run() -> list[Piece]:
        async with engine_at(base_url, timeout_seconds=timeout_seconds) as engine:
            return await pieces_of(engine, request)

    return asyncio.run(run())


def event(**chunk: object) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
