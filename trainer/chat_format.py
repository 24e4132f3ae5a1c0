"""How a model's chats are written and tokenised: as the backend's runner does it when serving.

That is: no thinking aloud; control tokens in a message taken apart; the system's text in the first
user message where the template refuses a system; and a begin token where the template writes none
but the tokenizer does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import jinja2
import llama_cpp
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import render_jinja_template

from backend.domain.chat_format import SEAM, ControlTexts, without_system
from backend.domain.errors import UnusableModel
from backend.domain.prompt import Message, render
from trainer.record import TEMPLATE

SPACE = "\u2581"
OPTIONS: Mapping[str, Any] = {"tokenize": False, "enable_thinking": False}
PLAIN = """\
{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] }}

{% elif message['role'] == 'user' %}### Request
{{ message['content'] }}

{% else %}### Reply
{{ message['content'] }}END{% endif %}{% endfor %}{% if add_generation_prompt %}### Reply
{% endif %}"""
"""For bases that never saw a chat, such as GPT-J and LLaMA 2: words instead of tokens of their
own, since a LoRA cannot teach new tokens. The end token is the base's; its begin token, where it
has one, stands in front of every chat as of every text. `prompt.as_data` keeps tickets from
writing these words as marks."""
SERVED_PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""How the backend's runner asks a model without a chat template; here an answer ends too."""
_CONTROL = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class ChatFormat(Protocol):
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


def prompt_text(messages: Sequence[Message], chat_format: ChatFormat) -> str:
    """The text of a prompt, with its seams. Raises UnusableModel if it cannot be written."""
    return _written(messages, chat_format, chat_format.prompt)


def finished_text(messages: Sequence[Message], chat_format: ChatFormat) -> str:
    """The text of a chat that was answered, with its seams. Raises as `prompt_text`."""
    return _written(messages, chat_format, chat_format.finished)


def _written(messages: Sequence[Message], chat_format: ChatFormat, write: Any) -> str:
    safe = [chat_format.control.taken_apart(message) for message in messages]
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
class TokenizerChatFormat:
    """A tokenizer of transformers, which has a chat template."""

    tokenizer: Any

    @property
    def control(self) -> ControlTexts:
        """Its special tokens: those that a GGUF calls control tokens."""
        added = self.tokenizer.added_tokens_decoder.values()
        special = [str(token.content) for token in added if token.special]
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


class GgufChatFormat:
    """The chat_format of a model that llama.cpp has loaded."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._template = model.metadata.get("tokenizer.chat_template") or SERVED_PLAIN
        self._begin, self._end = (
            self._text(token) for token in (model.token_bos(), model.token_eos())
        )
        vocabulary = llama_cpp.llama_model_get_vocab(model._model.model)
        tokens = range(model.n_vocab())
        self.ends = frozenset(
            token for token in tokens if llama_cpp.llama_vocab_is_eog(vocabulary, token)
        )
        self.control = ControlTexts.of(
            self._text(token)
            for token in tokens
            if token in self.ends or llama_cpp.llama_vocab_get_attr(vocabulary, token) & _CONTROL
        )

    def prompt(self, messages: Sequence[Message]) -> str:
        """By the template in the file, or as the runner asks a model without one."""
        return self._rendered(messages, add_generation_prompt=True)

    def finished(self, messages: Sequence[Message]) -> str:
        """By the same template."""
        return self._rendered(messages, add_generation_prompt=False)

    def plain(self, text: str) -> list[int]:
        """By llama.cpp."""
        return list(self._model.tokenize(text.encode(), add_bos=False, special=True))

    def ids(self, text: str) -> list[int]:
        """By llama.cpp, which puts the begin token in front if the file says so."""
        first, *others = text.split(SEAM)
        begin = not (self._begin and first.startswith(self._begin))
        ids = list(self._model.tokenize(first.encode(), add_bos=begin, special=True))
        for piece in others:
            ids += self.plain(piece)
        return ids

    def _rendered(self, messages: Sequence[Message], **options: Any) -> str:
        chat: Any = list(messages)
        found: Any = render_jinja_template(
            conversations=[chat],
            chat_template=self._template,
            enable_thinking=False,
            bos_token=self._begin,
            eos_token=self._end,
            **options,
        )
        return str(found[0][0])

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self._model.detokenize([token], special=True).decode(errors="replace"))


def tokenizer_of(base: Path) -> Any:
    """The tokenizer in a model's folder; one without a chat template gets `PLAIN`.

    Raises UnusableModel for a folder without a tokenizer, or one that has no token for the end.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise UnusableModel(
            f"{base} has no tokenizer that transformers can load. Download the whole model into "
            "this folder: weights, config.json and tokenizer files."
        ) from error
    if not tokenizer.eos_token:
        raise UnusableModel(
            f"The tokenizer in {base} has no end token, so no reply could ever end. "
            "Set eos_token in its tokenizer_config.json."
        )
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN.replace("END", tokenizer.eos_token)
    return tokenizer


def served_tokenizer(model: Path) -> Any:
    """The tokenizer in a model's folder, which writes chats as they are served from its GGUF."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        tokenizer.chat_template = SERVED_PLAIN
    return tokenizer


def save_template(base: Path, tokenizer: Any, folder: Path) -> None:
    """Writes the chat template to `folder` if it is not the base's own.

    Nothing else of the tokenizer: the base's files are the exact ones, and merge takes those.
    """
    if not AutoTokenizer.from_pretrained(base).chat_template:
        (folder / TEMPLATE).write_text(tokenizer.chat_template, encoding="utf-8")
