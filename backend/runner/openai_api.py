"""OpenAI's chat completions as this runner speaks them: what may be asked, and how it is answered.

Fields are a whitelist with ranges and anything else is refused: a field that llama.cpp's own
server once took unchecked (a negative `n_discard`) wrote out of bounds.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.domain.errors import (
    BadInput,
    Forbidden,
    ProductError,
    PromptTooLong,
    QueueFull,
    TooLarge,
    Unavailable,
)
from backend.domain.prompt import Message

MAX_MESSAGES = 256
MAX_STOPS, MAX_STOP_CHARACTERS = 4, 64
MAX_TOKENS = 131_072
MAX_SEED = 2**63 - 1
ROLES = ("system", "user", "assistant")
FIELDS = (
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "n",
    "frequency_penalty",
    "presence_penalty",
    "user",
)
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
Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, and where a reply ends."""

    max_tokens: int
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0


@dataclass(frozen=True)
class ChatRequest:
    """A request whose every field was found to be in its range."""

    messages: tuple[Message, ...]
    sampling: Sampling
    stream: bool
    include_usage: bool


@dataclass(frozen=True)
class Usage:
    """The tokens of one reply; `cached` of the prompt's were in the cache already."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Completion:
    """The identity that all parts of one completion share."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, reason: Finish, usage: Usage) -> bytes:
        """All of it at once."""
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


def read_request(body: object, *, model_name: str, default_max_tokens: int) -> ChatRequest:
    """The request in a JSON body. Raises BadInput, naming the field, for anything not allowed."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    for name in body:
        if name not in FIELDS:
            raise BadInput(f"Unknown field {str(name)[:40]!r}. Known: {', '.join(FIELDS)}.")
    if body.get("model", model_name) != model_name:
        raise BadInput(f"model: this runner serves only {model_name!r}.")
    if _whole(body, "n", 1, 1, 1) != 1:
        raise BadInput("n: must be 1.")
    stream = _flag(body, "stream")
    return ChatRequest(
        messages=read_messages(body.get("messages")),
        sampling=_sampling(body, default_max_tokens),
        stream=stream,
        include_usage=_include_usage(body, stream=stream),
    )


def read_messages(value: object) -> tuple[Message, ...]:
    """The messages in a JSON value. Raises BadInput for anything else."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MESSAGES:
        raise BadInput(f"messages: must be a list of 1 to {MAX_MESSAGES} messages.")
    return tuple(_message(index, message) for index, message in enumerate(value))


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


def _sampling(body: Mapping[str, Any], default_max_tokens: int) -> Sampling:
    limit = _whole(body, "max_tokens", default_max_tokens, 1, MAX_TOKENS)
    return Sampling(
        max_tokens=_whole(body, "max_completion_tokens", limit, 1, MAX_TOKENS),
        temperature=_real(body, "temperature", Sampling.temperature, 0.0, 2.0),
        top_p=_real(body, "top_p", Sampling.top_p, 0.0, 1.0),
        seed=_seed(body),
        stop=_stops(body.get("stop")),
        frequency_penalty=_real(body, "frequency_penalty", 0.0, -2.0, 2.0),
        presence_penalty=_real(body, "presence_penalty", 0.0, -2.0, 2.0),
    )


def _whole(body: Mapping[str, Any], field: str, default: int, low: int, high: int) -> int:
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{field}: must be a whole number from {low} to {high}.")
    return value


def _real(body: Mapping[str, Any], field: str, default: float, low: float, high: float) -> float:
    value = body.get(field)
    if value is None:
        return default
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # so is NaN refused
        raise BadInput(f"{field}: must be a number from {low} to {high}.")
    return float(value)


def _seed(body: Mapping[str, Any]) -> int | None:
    return None if body.get("seed") is None else _whole(body, "seed", 0, 0, MAX_SEED)


def _flag(body: Mapping[str, Any], field: str) -> bool:
    value = body.get(field)
    if value is not None and not isinstance(value, bool):
        raise BadInput(f"{field}: must be true or false.")
    return bool(value)


def _include_usage(body: Mapping[str, Any], *, stream: bool) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise BadInput("stream_options: only allowed with stream.")
    if not isinstance(options, dict) or set(options) - {"include_usage"}:
        raise BadInput("stream_options: only include_usage is known.")
    return _flag(options, "include_usage")


def _stops(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise BadInput(f"stop: must be a text or a list of at most {MAX_STOPS} texts.")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= MAX_STOP_CHARACTERS:
            raise BadInput(f"stop: each must be a text of 1 to {MAX_STOP_CHARACTERS} characters.")
    return tuple(stops)


def _message(index: int, message: object) -> Message:
    place = f"messages[{index}]"
    if not isinstance(message, dict) or set(message) != {"role", "content"}:
        raise BadInput(f"{place}: must be an object with role and content and nothing else.")
    role = message["role"]
    if role == "developer":
        role = "system"
    if role not in ROLES:
        raise BadInput(f"{place}.role: must be one of {', '.join(ROLES)}.")
    return {"role": role, "content": _content(place, message["content"])}


def _content(place: str, content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        return "".join(_part(place, part) for part in content)
    raise BadInput(f"{place}.content: must be a text or a list of text parts.")


def _part(place: str, part: object) -> str:
    if isinstance(part, dict) and set(part) == {"type", "text"} and part["type"] == "text":
        text = part["text"]
        if isinstance(text, str):
            return text
    raise BadInput(f'{place}.content: each part must be {{"type": "text", "text": "…"}}.')


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
