"""A chat-completions endpoint on this machine, for tests of what talks to one.

It speaks OpenAI's protocol over real HTTP, streaming and not. What it answers is a function of the
request, and that function can also misbehave: refuse, fail, fall silent, break off, send garbage.
"""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Reply:
    """A reply, in the pieces it is streamed in.

    `break_after` pieces the connection is cut; `hang_after` pieces it stays open in silence.
    """

    pieces: tuple[str, ...] = ("Hello", " there", ".")
    finish: str = "stop"
    usage: Json | None = None
    seconds_between: float = 0.0
    break_after: int | None = None
    hang_after: int | None = None


@dataclass(frozen=True)
class Refusal:
    """An error of the endpoint's own, as OpenAI writes it: {"error": {...}}."""

    status: int
    message: str = "No."
    more: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Json:
        """The body as JSON."""
        error = {"message": self.message, "type": "invalid_request_error", "code": None}
        return {"error": {**error, **self.more}}


@dataclass(frozen=True)
class Garbage:
    """A body sent as it is, under status 200."""

    body: bytes
    content_type: str = "text/event-stream"


Answer = Reply | Refusal | Garbage


@dataclass
class Asked:
    """One request as the endpoint saw it; `closed` is set once the client hung up too early."""

    body: Json
    headers: dict[str, str]
    path: str
    closed: threading.Event = field(default_factory=threading.Event)


class ChatServer:
    """What the endpoint answers, and what it was asked so far."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        self.base_url = ""


def too_long(prompt_tokens: int, context: int) -> Refusal:
    """What our runner and llama-server say to a prompt that does not fit."""
    return Refusal(
        400,
        f"The prompt has {prompt_tokens} tokens; {context} fit.",
        {
            "code": "context_length_exceeded",
            "n_prompt_tokens": prompt_tokens,
            "n_ctx": context,
        },
    )


def refuse_max_tokens(asked: Asked) -> Answer:
    """What OpenAI's newer models say to the older field."""
    if "max_tokens" not in asked.body:
        return Reply()
    return Refusal(
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        {"param": "max_tokens", "code": "unsupported_parameter"},
    )


@contextmanager
def chat_server(answer: Callable[[Asked], Answer] | Answer | None = None) -> Iterator[ChatServer]:
    """A running endpoint; what hangs in it ends with the block."""
    fixed = Reply() if answer is None else answer
    chats = ChatServer(fixed if callable(fixed) else lambda asked: fixed)

    class Handler(_Handler):
        chat = chats

    server = _Server(("127.0.0.1", 0), Handler)
    chats.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,))
    thread.start()
    try:
        yield chats
    finally:
        chats.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chat: ChatServer

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(json.loads(content), headers, self.path)
        self.chat.asked.append(asked)
        if self.path != "/v1/chat/completions":
            self._send(404, json.dumps(Refusal(404, "No such path.").body).encode())
            return
        answer = self.chat.answer(asked)
        if isinstance(answer, Refusal):
            self._send(answer.status, json.dumps(answer.body).encode(), headers=answer.headers)
        elif isinstance(answer, Garbage):
            self._send(200, answer.body, answer.content_type)
        elif asked.body.get("stream"):
            self._stream(answer, asked)
        else:
            self._whole(answer, asked)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] = {},
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": content_type}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _whole(self, reply: Reply, asked: Asked) -> None:
        message = {"role": "assistant", "content": "".join(reply.pieces)}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish}
        body = {**_frame(asked, "chat.completion"), "choices": [choice], "usage": _usage(reply)}
        self._send(200, json.dumps(body).encode())

    def _stream(self, reply: Reply, asked: Asked) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate((*reply.pieces, None)):
            if number == reply.break_after:
                return  # without the last chunk: the reply is not whole
            if number == reply.hang_after:
                self._wait(asked, 60)
                return
            if self._wait(asked, reply.seconds_between):
                return
            delta = {} if piece is None else {"content": piece}
            self._event(asked, delta=delta, finish=reply.finish if piece is None else None)
        if (asked.body.get("stream_options") or {}).get("include_usage"):
            self._event(asked, usage=_usage(reply))
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(
        self, asked: Asked, *, delta: Json | None = None, finish: str | None = None, **more: Any
    ) -> None:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        body = {
            **_frame(asked, "chat.completion.chunk"),
            "choices": [] if delta is None else choices,
            **more,
        }
        self._chunk(b"data: " + json.dumps(body).encode() + b"\n\n")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()

    def _wait(self, asked: Asked, seconds: float) -> bool:
        """Waits; true if the client hung up or the server stops."""
        deadline = time.monotonic() + seconds
        while not self.chat.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable:  # after its request a client sends nothing but its end
                asked.closed.set()
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True


def _frame(asked: Asked, kind: str) -> Json:
    model = asked.body.get("model", "")
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}


def _usage(reply: Reply) -> Json:
    completion = len(reply.pieces)
    return reply.usage or {
        "prompt_tokens": 10,
        "completion_tokens": completion,
        "total_tokens": 10 + completion,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
