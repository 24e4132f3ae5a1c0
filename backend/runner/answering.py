"""Carries one reply from the engine to one HTTP connection, whole or as it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from backend.domain.errors import ProductError
from backend.runner.completions import DONE, Completion, error_body, error_event, error_status
from backend.runner.log import log
from backend.runner.metrics import Metrics
from backend.runner.reply import Event, Failed, Finished, Piece, Reply, Usage

RETRY_AFTER_SECONDS = 2
EVENTS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class Inbox:
    """The events of one reply, in the event loop's thread; None once the client has gone."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.put = self._queue.put_nowait

    async def take(self) -> Event | None:
        """The next event. Pieces that came meanwhile are joined, so a slow client gets fewer."""
        event = await self._queue.get()
        while isinstance(event, Piece) and not self._queue.empty():
            following = self._queue.get_nowait()
            if not isinstance(following, Piece):
                self._ahead(following)
                break
            event = Piece(event.text + following.text)
        return event

    def _ahead(self, event: Event | None) -> None:
        rest = [event]
        while not self._queue.empty():
            rest.append(self._queue.get_nowait())
        for one in rest:
            self._queue.put_nowait(one)


@dataclass
class Answer:
    """An ASGI response that cancels its reply as soon as the client has closed the connection."""

    reply: Reply
    inbox: Inbox
    completion: Completion
    metrics: Metrics
    cancel: Callable[[Reply], None]
    stream: bool = False
    include_usage: bool = False
    outcome: str = field(default="cancelled", init=False)
    usage: Usage | None = field(default=None, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; `receive` tells when the client goes away."""
        watch = asyncio.create_task(self._watch(receive))
        try:
            if self.stream:
                await self._stream(send)
            elif response := await self._whole():
                await response(scope, receive, send)
        finally:
            watch.cancel()
            if self.outcome == "cancelled":
                self.cancel(self.reply)
            self._note()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.inbox.put(None)

    async def _whole(self) -> Response | None:
        """The response once the reply has ended; None if nobody waits for it any more."""
        pieces: list[str] = []
        while event := await self.inbox.take():
            if isinstance(event, Piece):
                pieces.append(event.text)
            elif isinstance(event, Finished):
                self._end(event)
                body = self.completion.answer("".join(pieces), event.reason, event.usage)
                return Response(body, media_type="application/json")
            else:
                self.outcome = "failed"
                return refusal(event.error)
        return None

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        await _send(send, self.completion.opening())
        while event := await self.inbox.take():
            if isinstance(event, Piece):
                await _send(send, self.completion.piece(event.text))
            else:
                return await _send(send, self._last(event), more=False)
        return None

    def _last(self, event: Finished | Failed) -> bytes:
        if isinstance(event, Failed):
            self.outcome = "failed"
            return error_event(event.error) + DONE
        self._end(event)
        usage = self.completion.usage(event.usage) if self.include_usage else b""
        return self.completion.ending(event.reason) + usage + DONE

    def _end(self, event: Finished) -> None:
        self.outcome, self.usage = event.reason, event.usage

    def _note(self) -> None:
        self.metrics.requests.labels(self.outcome).inc()
        seconds = round(time.monotonic() - self.reply.arrived, 3)
        counts = vars(self.usage) if self.usage else {"prompt": len(self.reply.prompt)}
        log("completion", outcome=self.outcome, seconds=seconds, **counts)


def refusal(error: ProductError) -> Response:
    """The response for an error, with the time to wait where there is one."""
    status = error_status(error)
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS))
    return Response(error_body(error), status, headers, media_type="application/json")


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
