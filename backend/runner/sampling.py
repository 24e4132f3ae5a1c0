"""What a client may ask for: a whitelist of fields with ranges. Anything else is refused.

A field that llama.cpp's own server once took unchecked (a negative `n_discard`) wrote out of
bounds; here no field reaches native code that is not listed below with its range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.errors import BadInput
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


def read_request(body: object, *, model_name: str, default_max_tokens: int) -> ChatRequest:
    """The request in a JSON body. Raises BadInput, naming the field, for anything not allowed."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    for field in body:
        if field not in FIELDS:
            raise BadInput(f"Unknown field {str(field)[:40]!r}. Known: {', '.join(FIELDS)}.")
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


def read_messages(value: object) -> tuple[Message, ...]:
    """The messages in a JSON value. Raises BadInput for anything else."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MESSAGES:
        raise BadInput(f"messages: must be a list of 1 to {MAX_MESSAGES} messages.")
    return tuple(_message(index, message) for index, message in enumerate(value))


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
