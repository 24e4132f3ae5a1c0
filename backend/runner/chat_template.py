"""Renders chat messages with the model's own template, which is code from a file: untrusted.

It runs in Jinja's immutable sandbox, with bounds on time and length, since a sandbox alone lets
`range` in `range` run for ever. Control tokens written in a *message* are taken apart, so that a
ticket cannot end its turn or begin another's.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from backend.domain.chat_format import SEAM, ControlTexts, without_system
from backend.domain.errors import BadInput, UnusableModel
from backend.domain.prompt import Message

PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
MAX_TEMPLATE_CHARACTERS = 100_000
MAX_RENDERED_CHARACTERS = 2_000_000
MAX_SECONDS = 2.0
PROBE: tuple[Message, ...] = ({"role": "user", "content": "Hello"},)
GROWING_METHODS = frozenset(("center", "expandtabs", "ljust", "rjust", "zfill"))
GROWING_FILTERS = ("center", "format")


class TookTooLong(Exception):
    """The work was not done in its time."""


class TemplateRefused(jinja2.TemplateError):
    """The template itself says, by `raise_exception`, that it cannot render these messages."""


FAULTS = (  # what a template of nonsense can raise besides Jinja's own errors
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TookTooLong,
    TypeError,
    ValueError,
)


class ChatTemplate:
    """A compiled template. Raises UnusableModel if it cannot be compiled or rendered at all."""

    def __init__(
        self,
        source: str | None,
        *,
        special_texts: Iterable[str] = (),
        begin_text: str = "",
        end_text: str = "",
    ) -> None:
        source = PLAIN if source is None else source
        if len(source) > MAX_TEMPLATE_CHARACTERS:
            raise UnusableModel(f"The chat template has {len(source)} characters: too many.")
        self._texts = {"bos_token": begin_text, "eos_token": end_text}
        self._special = ControlTexts.of(special_texts)
        try:
            with time_limit(MAX_SECONDS):
                self._template = _environment().from_string(source)
            self._rendered(PROBE)
        except TemplateRefused:
            pass  # it works, but wants other messages
        except (jinja2.TemplateError, *FAULTS) as error:
            raise UnusableModel(
                f"The chat template in the GGUF cannot be used: {_why(error)}. "
                "Export the model with a correct template."
            ) from error

    def render(self, messages: Sequence[Message]) -> list[str]:
        """The prompt's text, cut where a control token of a message was taken apart.

        A template that knows no system role gets its text at the head of the first user message.
        Raises BadInput if the template cannot render these messages.
        """
        safe = [self._special.taken_apart(message) for message in messages]
        try:
            try:
                text = self._rendered(safe)
            except TemplateRefused:
                text = self._rendered(without_system(safe) or safe)
        except (jinja2.TemplateError, *FAULTS) as error:
            raise BadInput(f"messages: the model's chat template says: {_why(error)}.") from error
        return text.split(SEAM)

    def _rendered(self, messages: Sequence[Message]) -> str:
        pieces, length = [], 0
        with time_limit(MAX_SECONDS):
            for piece in self._template.generate(
                messages=list(messages),
                add_generation_prompt=True,
                enable_thinking=False,
                tools=None,
                documents=None,
                **self._texts,
            ):
                length += len(piece)
                if length > MAX_RENDERED_CHARACTERS:
                    raise TookTooLong("it writes without end")
                pieces.append(piece)
        return "".join(pieces)


def _environment() -> _Environment:
    environment = _Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols"],
        autoescape=False,
    )
    for name in GROWING_FILTERS:
        del environment.filters[name]
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    for name in ("lipsum", "cycler", "joiner"):
        del environment.globals[name]
    return environment


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, closed further to what makes huge texts out of small ones."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            numbers = len(left) + len(right) <= MAX_RENDERED_CHARACTERS
        elif operator == "+":
            numbers = True
        if not numbers or operator == "**":
            raise jinja2.exceptions.SecurityError(f"{operator} is allowed between numbers only")
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if super().wrap_str_format(value) is not None:
            raise jinja2.exceptions.SecurityError("format is not allowed")
        return None

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr in GROWING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=min(indent, 8) if indent else None)


def _refuse(message: object) -> NoReturn:
    raise TemplateRefused(str(message)[:300])


def _now(form: str) -> str:
    return datetime.now(UTC).strftime(form[:100])


def _why(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")[:300]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLong inside the block once the time is over.

    Works by a timer signal, so only in the main thread; in others the block runs unlimited.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_: int, __: FrameType | None) -> None:
        raise TookTooLong(f"it takes more than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
