"""How a GGUF's chats are written and tokenised: its template, its tokens, by llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llama_cpp
from transformers.utils.chat_template_utils import render_jinja_template

from backend.domain.chat import SEAM, ControlTexts
from backend.domain.prompt import Message
from trainer.chat import SERVED_PLAIN

_CONTROL = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class GgufDialect:
    """The dialect of a model that llama.cpp has loaded."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._template = model.metadata.get("tokenizer.chat_template") or SERVED_PLAIN
        self._begin, self._end = (self._text(one) for one in (model.token_bos(), model.token_eos()))
        vocabulary = llama_cpp.llama_model_get_vocab(model._model.model)
        tokens = range(model.n_vocab())
        self.ends = frozenset(
            one for one in tokens if llama_cpp.llama_vocab_is_eog(vocabulary, one)
        )
        self.control = ControlTexts.of(
            self._text(one)
            for one in tokens
            if one in self.ends or llama_cpp.llama_vocab_get_attr(vocabulary, one) & _CONTROL
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
