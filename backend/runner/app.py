"""The runner's HTTP routes: OpenAI's chat completions, models, tokens, health and metrics."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.domain.errors import BadInput, Forbidden, ProductError, TooLarge
from backend.runner.delivery import Event, Failed, Finished, Piece, Reply
from backend.runner.loading import ModelService
from backend.runner.metrics import Metrics
from backend.runner.openai_api import (
    DONE,
    Completion,
    Usage,
    error_body,
    error_event,
    error_status,
    read_request,
)
from backend.runner.settings import MAX_THREADS
from backend.system.logging import log_event

MAX_BODY_BYTES = 1_048_576
OPEN_PATH = "/health"
RETRY_AFTER_SECONDS = 2
EVENTS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


def create_app(service: ModelService) -> ASGIApp:
    """The application; its model loads once it has started."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(service.work())
        yield
        if service.loaded:
            service.loaded.scheduler.stop()
            await work

    routes = [
        Route(OPEN_PATH, _health, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
        Route("/v1/models", _models, methods=["GET"]),
        Route("/v1/chat/completions", _chat, methods=["POST"]),
        Route("/tokenize", _tokenise, methods=["POST"]),
        Route("/threads", _use_threads, methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={ProductError: _refused, HTTPException: _no_such_route},
    )
    app.state.service = service
    return _guarded(app, service.settings.key)


def _guarded(app: ASGIApp, key: str) -> ASGIApp:
    """Nothing but the health is answered without the key."""
    expected = f"Bearer {key}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != OPEN_PATH:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, expected):
                refused = refusal(Forbidden("The key is missing or wrong."))
                return await refused(scope, receive, send)
        return await app(scope, receive, send)

    return guard


async def _health(request: Request) -> Response:
    if _service(request).loaded is None:
        return _json({"status": "loading"}, 503)
    return _json({"status": "ok"})


async def _metrics(request: Request) -> Response:
    return Response(_service(request).metrics.text(), media_type="text/plain; version=0.0.4")


async def _models(request: Request) -> Response:
    service = _service(request)
    loaded = service.ready()
    meta = {
        "n_ctx": loaded.scheduler.limits.context,
        "n_ctx_train": loaded.model.trained_context,
        "n_vocab": loaded.model.vocabulary_size,
        "slots": loaded.scheduler.limits.slots,
    }
    model = {"id": service.settings.name, "object": "model", "created": 0, "owned_by": "local"}
    return _json({"object": "list", "data": [model | {"meta": meta}]})


async def _tokenise(request: Request) -> Response:
    loaded = _service(request).ready()
    body = await _body(request)
    if not isinstance(body, dict) or set(body) != {"content"}:
        raise BadInput("The body must be a JSON object with content and nothing else.")
    if not isinstance(body["content"], str):
        raise BadInput("content: must be a text.")
    return _json({"tokens": loaded.model.tokenise(body["content"])})


async def _chat(request: Request) -> ASGIApp:
    service = _service(request)
    loaded, settings = service.ready(), service.settings
    asked = read_request(
        await _body(request), model_name=settings.name, default_max_tokens=settings.max_tokens
    )
    events = EventQueue()
    reply = Reply(
        prompt=loaded.prompt(asked.messages),
        sampling=asked.sampling,
        sink=events.put,
        background=_is_background(request),
    )
    loaded.scheduler.submit(reply)
    return CompletionResponse(
        reply,
        events,
        Completion(settings.name),
        metrics=service.metrics,
        cancel=loaded.scheduler.cancel,
        stream=asked.stream,
        include_usage=asked.include_usage,
    )


async def _use_threads(request: Request) -> Response:
    """The supervisor divides the cores anew whenever the number of runners changes."""
    loaded = _service(request).ready()
    body = await _body(request)
    count = body.get("threads") if isinstance(body, dict) else None
    if type(count) is not int or not 1 <= count <= MAX_THREADS:
        raise BadInput(f"threads: must be a whole number from 1 to {MAX_THREADS}.")
    loaded.scheduler.use_threads(count)
    return _json({"threads": count})


def _is_background(request: Request) -> bool:
    priority = request.headers.get("x-priority", "now")
    if priority not in ("now", "background"):
        raise BadInput("X-Priority: must be now or background.")
    return priority == "background"


async def _body(request: Request) -> object:
    """The JSON body. Raises TooLarge, or BadInput if it is none."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge(f"The body has more than {MAX_BODY_BYTES} bytes.")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput("The body is no JSON.") from error


@dataclass
class CompletionResponse:
    """An ASGI response that cancels its reply as soon as the client has closed the connection."""

    reply: Reply
    events: EventQueue
    completion: Completion
    metrics: Metrics
    cancel: Callable[[Reply], None]
    stream: bool = False
    include_usage: bool = False
    outcome: str = field(default="cancelled", init=False)
    usage: Usage | None = field(default=None, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the completion; `receive` tells when the client goes away."""
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
        self.events.put(None)

    async def _whole(self) -> Response | None:
        """The response once the reply has ended; None if nobody waits for it any more."""
        pieces: list[str] = []
        while event := await self.events.take():
            if isinstance(event, Piece):
                pieces.append(event.text)
            elif isinstance(event, Finished):
                self._end(event)
                body = self.completion.whole("".join(pieces), event.reason, event.usage)
                return Response(body, media_type="application/json")
            else:
                self.outcome = "failed"
                return refusal(event.error)
        return None

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        await _send(send, self.completion.opening())
        while event := await self.events.take():
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
        log_event("completion", outcome=self.outcome, seconds=seconds, **counts)


class EventQueue:
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
        for waiting in rest:
            self._queue.put_nowait(waiting)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, ProductError):
        raise error
    _service(request).metrics.requests.labels("refused").inc()
    log_event("refused", path=request.url.path, error=type(error).__name__)
    return refusal(error)


async def _no_such_route(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = error_body(BadInput(f"{error.detail}."))
    return Response(body, error.status_code, media_type="application/json")


def refusal(error: ProductError) -> Response:
    """The response for an error, with the time to wait where there is one."""
    status = error_status(error)
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS))
    return Response(error_body(error), status, headers, media_type="application/json")


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def _service(request: Request) -> ModelService:
    service: ModelService = request.app.state.service
    return service


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")
