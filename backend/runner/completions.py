"""The JSON of OpenAI's chat completions: answers, chunks of a stream, errors."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from backend.domain.errors import (
    BadInput,
    Forbidden,
    ProductError,
    PromptTooLong,
    QueueFull,
    TooLarge,
    Unavailable,
)
from backend.runner.reply import Finish, Usage

DONE = b"data: [DONE]\n\n"

# error -> (status, type, code), the first that fits
STATUSES: tuple[tuple[type[ProductError], tuple[int, str, str]], ...] = (
    (PromptTooLong, (400, "invalid_request_error", "context_length_exceeded")),
    (TooLarge, (413, "invalid_request_error", "body_too_large")),
    (BadInput, (400, "invalid_request_error", "invalid_request")),
    (Forbidden, (401, "authentication_error", "invalid_api_key")),
    (QueueFull, (503, "server_error", "queue_full")),
    (Unavailable, (503, "server_error", "unavailable")),
    (ProductError, (500, "server_error", "engine_failed")),
)


@dataclass(frozen=True)
class Completion:
    """The identity that all parts of one answer share."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def answer(self, text: str, reason: Finish, usage: Usage) -> bytes:
        """The whole answer at once."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return _json(self._body("chat.completion", [choice]) | {"usage": _usage(usage)})

    def opening(self) -> bytes:
        """The chunk before the first text: it names the role."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def piece(self, text: str) -> bytes:
        """A chunk with text."""
        return self._chunk({"content": text}, None)

    def ending(self, reason: Finish) -> bytes:
        """The chunk that says why the text ends."""
        return self._chunk({}, reason)

    def usage(self, usage: Usage) -> bytes:
        """The last chunk, without choices, where usage was asked for."""
        return _event(self._body("chat.completion.chunk", []) | {"usage": _usage(usage)})

    def _chunk(self, delta: dict[str, str], reason: Finish | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event(self._body("chat.completion.chunk", [choice]))

    def _body(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def error_status(error: ProductError) -> int:
    """The HTTP status of an error."""
    return _meaning(error)[0]


def error_body(error: ProductError) -> bytes:
    """The JSON of an error; for a prompt too long with the counts a client needs to cut it."""
    _, kind, code = _meaning(error)
    fields: dict[str, Any] = {"message": str(error), "type": kind, "param": None, "code": code}
    if isinstance(error, PromptTooLong):
        fields |= {"n_prompt_tokens": error.prompt_tokens, "n_ctx": error.context_tokens}
    return _json({"error": fields})


def error_event(error: ProductError) -> bytes:
    """An error in the middle of a stream."""
    return b"data: " + error_body(error) + b"\n\n"


def _meaning(error: ProductError) -> tuple[int, str, str]:
    return next(meaning for kind, meaning in STATUSES if isinstance(error, kind))


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _event(value: object) -> bytes:
    return b"data: " + _json(value) + b"\n\n"
