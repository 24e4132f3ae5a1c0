"""Loaded models that answer, and where they can say how surprised a person's answer leaves them.

The prompt's tokens are those of serving, the human answer's those of training.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from transformers import GenerationConfig

from backend.domain.errors import PromptTooLong
from backend.domain.prompt import Message
from trainer.dialect import TokenizerDialect, prompt_text
from trainer.gguf_dialect import GgufDialect
from trainer.reference import logits_of
from trainer.rows import row_of

_BYTES = 4
"""Of a letter at most; a token has one at least."""
_AT_ONCE = 32
"""Tokens of a human answer whose logits are kept at once, so that they take little memory."""


@dataclass(frozen=True)
class Reply:
    """An answer and what it cost. `loss` are the nats of the human answer, over `loss_tokens`."""

    text: str
    tokens: int
    seconds: float
    loss: float | None = None
    loss_tokens: int = 0


@dataclass(frozen=True)
class Surprise:
    """The nats that the answer of a person costs, over its tokens, the end token included."""

    nats: float
    tokens: int


class Engine(Protocol):
    """A subject that has been loaded."""

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> Reply:
        """The answer to a prompt, of so many tokens at most, as greedily as it can.

        With `letters`: exactly so many of them, as far as there is room. It goes on where it would
        end, and what the last token has too much is cut.
        """
        ...

    def surprise(self, chat: Sequence[Message]) -> Surprise | None:
        """What the last message, which a person wrote, costs; None if it cannot be told."""
        ...


class FolderEngine:
    """A model of transformers. What generation_config.json adds to plain greed does not count."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._dialect = TokenizerDialect(tokenizer)
        ends = model.generation_config.eos_token_id or []
        ends = ends if isinstance(ends, list) else [ends]
        self._ends = [tokenizer.eos_token_id, *ends]
        kind: Any = GenerationConfig
        model.generation_config = kind(eos_token_id=self._ends, pad_token_id=tokenizer.eos_token_id)

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> Reply:
        """The likeliest token each time."""
        ids = self._dialect.ids(prompt_text(messages, self._dialect))
        started = time.monotonic()
        with torch.no_grad():
            whole = self._model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=_BYTES * letters or tokens,
                suppress_tokens=self._ends if letters else None,
                stopping_criteria=[
                    lambda rows, _: torch.tensor(
                        [0 < letters <= len(self._text(rows[0, len(ids) :]))]
                    )
                ],
            )
        seconds = time.monotonic() - started
        written = whole[0, len(ids) :]
        return Reply(self._text(written)[: letters or None], len(written), seconds)

    def _text(self, written: Any) -> str:
        text: str = self._tokenizer.decode(written, skip_special_tokens=True)
        return text.strip()

    def surprise(self, chat: Sequence[Message]) -> Surprise:
        """By the logits of the row that a training would make of the chat."""
        row = row_of(chat, self._dialect)
        (logits,) = logits_of(self._model, [row.ids])
        answer = row.ids[row.answer_from :]
        return Surprise(_nats(logits[row.answer_from - 1 : -1], answer), len(answer))


class GgufEngine:
    """A GGUF in llama.cpp that keeps the last token's logits only, as in serving."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._dialect = GgufDialect(model)
        self._room = min(model.n_ctx(), model._model.n_ctx_train())

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> Reply:
        """The likeliest token each time. Raises PromptTooLong if it has no room for any."""
        model, ids = self._model, self._dialect.ids(prompt_text(messages, self._dialect))
        if len(ids) >= self._room:
            raise PromptTooLong(
                f"A prompt of {len(ids)} tokens leaves no room for an answer in a context of "
                f"{self._room}. Ask with less: --prompt-tokens."
            )
        started = time.monotonic()
        model.reset()
        model.eval(ids)
        written: list[int] = []
        most = _BYTES * letters or tokens
        while len(written) < most and model.n_tokens < self._room:
            logits = self._last()
            if letters:
                logits[list(self._dialect.ends)] = -np.inf
            token = int(np.argmax(logits))
            if token in self._dialect.ends:
                break
            written.append(token)
            if 0 < letters <= len(self._text(written)):
                break
            model.eval([token])
        seconds = time.monotonic() - started
        return Reply(self._text(written)[: letters or None], len(written), seconds)

    def _text(self, written: Sequence[int]) -> str:
        text: bytes = self._model.detokenize(list(written))
        return text.decode(errors="replace").strip()

    def surprise(self, chat: Sequence[Message]) -> Surprise | None:
        """None for a chat that does not fit the context whole: a part is not to be compared."""
        row = row_of(chat, self._dialect)
        if len(row.ids) > self._room:
            return None
        answer = row.ids[row.answer_from :]
        self._model.reset()
        self._model.eval(row.ids[: row.answer_from])
        nats = _nats(self._last()[np.newaxis], answer[:1])
        for start in range(0, len(answer) - 1, _AT_ONCE):
            followed = answer[start + 1 : start + 1 + _AT_ONCE]
            nats += _nats(self._after(answer[start : start + len(followed)]), followed)
        return Surprise(nats, len(answer))

    def _last(self) -> Any:
        """The logits after the last token that was read, shape (vocabulary,)."""
        pointer = self._model._ctx.get_logits_ith(-1)
        return np.ctypeslib.as_array(pointer, shape=(self._model.n_vocab(),))

    def _after(self, tokens: Sequence[int]) -> Any:
        """Reads on; the logits after each of the tokens, shape (tokens, vocabulary)."""
        model = self._model
        model._batch.set_batch(batch=tokens, n_past=model.n_tokens, logits_all=True)
        model._ctx.decode(model._batch)
        model.n_tokens += len(tokens)
        shape = (len(tokens), model.n_vocab())
        return np.ctypeslib.as_array(model._ctx.get_logits(), shape=shape)


def _nats(logits: Any, followed: Sequence[int]) -> float:
    """What the tokens cost which followed; logits of shape (tokens, vocabulary)."""
    wide = np.asarray(logits, dtype=np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    normal = np.log(np.exp(shifted).sum(axis=1))
    return float((normal - shifted[np.arange(len(followed)), list(followed)]).sum())
