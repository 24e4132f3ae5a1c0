"""How a model's chats are written and tokenised: as the backend's runner does it when serving.

That is: no thinking aloud; control tokens in a message taken apart; the system's text in the
first user message where the template refuses a system; and a begin token where the template
writes none but the tokenizer does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import jinja2

from backend.domain.chat import SEAM, ControlTexts, without_system
from backend.domain.errors import UnusableModel
from backend.domain.prompt import Message, render

SPACE = "\u2581"
OPTIONS: Mapping[str, Any] = {"tokenize": False, "enable_thinking": False}


class Dialect(Protocol):
    """A chat template and a tokenizer, of whatever library."""

    @property
    def control(self) -> ControlTexts:
        """What is a control token to the tokenizer."""
        ...

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a turn."""
        ...

    def prompt(self, messages: Sequence[Message]) -> str:
        """The template's text up to where an answer begins. Raises jinja2.TemplateError."""
        ...

    def finished(self, messages: Sequence[Message]) -> str:
        """The template's text of a whole chat. Raises jinja2.TemplateError."""
        ...

    def plain(self, text: str) -> list[int]:
        """The tokens of a text, control tokens read out of it, with nothing put in front."""
        ...

    def ids(self, text: str) -> list[int]:
        """The tokens of a rendered text, none of which spans a seam, after a begin token."""
        ...


def prompt_text(messages: Sequence[Message], dialect: Dialect) -> str:
    """The text of a prompt, with its seams. Raises UnusableModel if it cannot be written."""
    return _written(messages, dialect, dialect.prompt)


def finished_text(messages: Sequence[Message], dialect: Dialect) -> str:
    """The text of a chat that was answered, with its seams. Raises as `prompt_text`."""
    return _written(messages, dialect, dialect.finished)


def _written(messages: Sequence[Message], dialect: Dialect, write: Any) -> str:
    safe = [dialect.control.taken_apart(message) for message in messages]
    try:
        try:
            return str(write(safe))
        except jinja2.TemplateError as error:
            if type(error) is not jinja2.TemplateError:  # not the template itself refuses
                raise
            return str(write(without_system(safe) or safe))
    except jinja2.TemplateError as error:
        raise UnusableModel(
            f"The chat template cannot write our messages: {str(error).rstrip('.')}. "
            "Put another chat template beside the model, as chat_template.jinja."
        ) from error


@dataclass(frozen=True)
class TokenizerDialect:
    """A tokenizer of transformers, which has a chat template."""

    tokenizer: Any

    @property
    def control(self) -> ControlTexts:
        """Its special tokens: those that a GGUF calls control tokens."""
        added = self.tokenizer.added_tokens_decoder.values()
        special = [str(one.content) for one in added if one.special]
        return ControlTexts.of([*special, *self.tokenizer.all_special_tokens])

    @property
    def ends(self) -> frozenset[int]:
        """Its end token."""
        return frozenset([self.tokenizer.eos_token_id])

    def prompt(self, messages: Sequence[Message]) -> str:
        """By its template."""
        chat = list(messages)
        text = self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, **OPTIONS)
        return str(text)

    def finished(self, messages: Sequence[Message]) -> str:
        """By its template."""
        return str(self.tokenizer.apply_chat_template(list(messages), **OPTIONS))

    def plain(self, text: str) -> list[int]:
        """By the tokenizer."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def ids(self, text: str) -> list[int]:
        """Each piece is tokenised as llama.cpp does it: as after a control token."""
        ids = self._begin(text)
        for piece in text.split(SEAM):
            ids += self._after_control(piece)
        return ids

    @cached_property
    def space_in_front(self) -> bool:
        """Whether a text gets a space in front, as SentencePiece has it.

        llama.cpp puts it in front of every text and after each control token, or nowhere. Some
        tokenizers do the first only; then a chat with control tokens is to have it nowhere.
        """
        control = self.tokenizer.eos_token or self.tokenizer.bos_token
        if not self._spaced(self.plain("x")[:1]):
            return False
        if not (control and self.tokenizer.chat_template):
            return True
        if self._spaced(self.plain(control + "x")[1:2]):
            return True
        pattern = self.control.pattern
        chat = prompt_text(render("x").messages, self)
        return not (pattern and pattern.search(chat))

    def _after_control(self, text: str) -> list[int]:
        if self.space_in_front or not self._spaced(self.plain("x")[:1]):
            return self.plain(text)
        return self.plain(self.tokenizer.eos_token + text)[1:]

    def _spaced(self, ids: list[int]) -> bool:
        return "".join(self.tokenizer.convert_ids_to_tokens(ids)).startswith(SPACE)

    def _begin(self, text: str) -> list[int]:
        tokenizer = self.tokenizer
        if not tokenizer.bos_token or text.startswith(tokenizer.bos_token):
            return []
        number = tokenizer.bos_token_id
        return [number] if tokenizer("a")["input_ids"][0] == number else []
