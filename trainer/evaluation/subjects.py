"""What can be evaluated: a model's folder, a GGUF, a model behind an OpenAI-compatible address.

Each answers a prompt as greedily as it can, and where it can tells the loss on the answer that a
person gave. A prompt's tokens are those of serving, a person's answer's those of training.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import openai
import torch
from transformers import GenerationConfig

from backend.domain.errors import (
    BadInput,
    EngineRefused,
    EngineUnauthorized,
    EngineUnreachable,
    NotAGguf,
    PromptTooLong,
)
from backend.domain.prompt import Message
from backend.system.files import sha256_of
from backend.system.resources import own_memory
from trainer.chat_format import GgufChatFormat, TokenizerChatFormat, prompt_text, served_tokenizer
from trainer.gguf.logits import load_model, logits_of, opened
from trainer.gguf.model_card import card_of
from trainer.record import fingerprint, mark_of_folder, read_record
from trainer.tuning.batches import chat_row

_BYTES = 4
"""Of a letter at most; a token has one at least."""
_AT_ONCE = 32
"""Tokens of a human answer whose logits are kept at once, so that they take little memory."""


@dataclass(frozen=True)
class Served:
    """How a model is asked where it is served: 0 tokens and -1 passages leave it to others."""

    prompt_tokens: int = 0
    passages: int = -1


@dataclass(frozen=True)
class TimedReply:
    """An answer and what it cost. `loss` are the nats of the human answer, over `loss_tokens`."""

    text: str
    tokens: int
    seconds: float
    loss: float | None = None
    loss_tokens: int = 0


@dataclass(frozen=True)
class AnswerLoss:
    """The nats that the answer of a person costs, over its tokens, the end token included."""

    nats: float
    tokens: int


class Subject(Protocol):
    """Something to be evaluated, under a name."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def mark(self) -> str:
        """Changes when it would answer otherwise."""
        ...

    def served(self) -> Served:
        """How it is asked where it is served."""
        ...

    def loaded(self) -> Any:
        """A context in which it is a LoadedModel."""
        ...


class LoadedModel(Protocol):
    """A subject that has been loaded."""

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> TimedReply:
        """The answer to a prompt, of so many tokens at most, as greedily as it can.

        With `letters`: exactly so many of them, as far as there is room. It goes on where it would
        end, and what the last token has too much is cut.
        """
        ...

    def answer_loss(self, chat: Sequence[Message]) -> AnswerLoss | None:
        """What the last message, which a person wrote, costs; None if it cannot be told."""
        ...


@dataclass(frozen=True)
class FolderSubject:
    """A model of transformers."""

    name: str
    folder: Path

    def mark(self) -> str:
        """Of its files."""
        return mark_of_folder(self.folder)

    def served(self) -> Served:
        """By the record of its training, if it has one."""
        record = read_record(self.folder)
        return Served(record.prompt_tokens, record.passages) if record else Served()

    @contextmanager
    def loaded(self) -> Iterator[LoadedModel]:
        """Loaded in float32, or read from the disk layer by layer if it does not fit."""
        with TemporaryDirectory() as folder:
            model = load_model(self.folder, offload=Path(folder))
            yield LoadedFolder(model, served_tokenizer(self.folder))


class LoadedFolder:
    """A model of transformers. What generation_config.json adds to plain greed does not count."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._chat_format = TokenizerChatFormat(tokenizer)
        ends = model.generation_config.eos_token_id or []
        ends = ends if isinstance(ends, list) else [ends]
        self._ends = [tokenizer.eos_token_id, *ends]
        kind: Any = GenerationConfig
        model.generation_config = kind(eos_token_id=self._ends, pad_token_id=tokenizer.eos_token_id)

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> TimedReply:
        """The likeliest token each time."""
        ids = self._chat_format.ids(prompt_text(messages, self._chat_format))
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
        return TimedReply(self._text(written)[: letters or None], len(written), seconds)

    def _text(self, written: Any) -> str:
        text: str = self._tokenizer.decode(written, skip_special_tokens=True)
        return text.strip()

    def answer_loss(self, chat: Sequence[Message]) -> AnswerLoss:
        """By the logits of the row that a training would make of the chat."""
        row = chat_row(chat, self._chat_format)
        (logits,) = logits_of(self._model, [row.ids])
        answer = row.ids[row.answer_from :]
        return AnswerLoss(_nats(logits[row.answer_from - 1 : -1], answer), len(answer))


@dataclass(frozen=True)
class GgufSubject:
    """A GGUF in llama.cpp."""

    name: str
    path: Path
    context: int = 4096

    def mark(self) -> str:
        """Of the file. Raises NotAGguf if there is none."""
        if not self.path.is_file():
            raise NotAGguf(f"{self.path} is no file. Give the path of a .gguf file.")
        return sha256_of(self.path)

    def served(self) -> Served:
        """By the card beside it, if it has one."""
        card = card_of(self.path)
        return Served(card.prompt_tokens, card.passages) if card else Served()

    @contextmanager
    def loaded(self) -> Iterator[LoadedModel]:
        """Loaded on the CPU."""
        with opened(self.path, context=self.context, logits="last") as model:
            yield LoadedGguf(model)


class LoadedGguf:
    """A GGUF in llama.cpp that keeps the last token's logits only, as in serving."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._chat_format = GgufChatFormat(model)
        self._context = min(model.n_ctx(), model._model.n_ctx_train())

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> TimedReply:
        """The likeliest token each time. Raises PromptTooLong if it has no room for any."""
        model, ids = self._model, self._chat_format.ids(prompt_text(messages, self._chat_format))
        if len(ids) >= self._context:
            raise PromptTooLong(
                f"A prompt of {len(ids)} tokens leaves no room for an answer in a context of "
                f"{self._context}. Ask with less: --prompt-tokens."
            )
        started = time.monotonic()
        model.reset()
        model.eval(ids)
        written: list[int] = []
        most = _BYTES * letters or tokens
        while len(written) < most and model.n_tokens < self._context:
            logits = self._last()
            if letters:
                logits[list(self._chat_format.ends)] = -np.inf
            token = int(np.argmax(logits))
            if token in self._chat_format.ends:
                break
            written.append(token)
            if 0 < letters <= len(self._text(written)):
                break
            model.eval([token])
        seconds = time.monotonic() - started
        return TimedReply(self._text(written)[: letters or None], len(written), seconds)

    def _text(self, written: Sequence[int]) -> str:
        text: bytes = self._model.detokenize(list(written))
        return text.decode(errors="replace").strip()

    def answer_loss(self, chat: Sequence[Message]) -> AnswerLoss | None:
        """None for a chat that does not fit the context whole: a part is not to be compared."""
        row = chat_row(chat, self._chat_format)
        if len(row.ids) > self._context:
            return None
        answer = row.ids[row.answer_from :]
        self._model.reset()
        self._model.eval(row.ids[: row.answer_from])
        nats = _nats(self._last()[np.newaxis], answer[:1])
        for start in range(0, len(answer) - 1, _AT_ONCE):
            followed = answer[start + 1 : start + 1 + _AT_ONCE]
            nats += _nats(self._after(answer[start : start + len(followed)]), followed)
        return AnswerLoss(nats, len(answer))

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


@dataclass(frozen=True)
class EndpointSubject:
    """A model behind an OpenAI-compatible address. It says nothing about losses."""

    name: str
    address: str
    model: str
    key: str = ""

    def mark(self) -> str:
        """Of address and model: what stands behind them can change unseen."""
        return fingerprint(self.address, self.model)

    def served(self) -> Served:
        """It says nothing about it."""
        return Served()

    @contextmanager
    def loaded(self) -> Iterator[LoadedModel]:
        """A client for it."""
        with closing(openai.OpenAI(base_url=self.address, api_key=self.key or "none")) as client:
            yield _ReachedEndpoint(client, self)


@dataclass(frozen=True)
class _ReachedEndpoint:
    client: openai.OpenAI
    subject: EndpointSubject

    def answer_loss(self, chat: Sequence[Message]) -> None:
        """It gives no logits."""

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> TimedReply:
        if letters:
            raise BadInput(
                f"{self.subject.address} cannot be told to write on until {letters} letters. Leave "
                "out --letters, or the endpoint."
            )
        started = time.monotonic()
        try:
            done = self.client.chat.completions.create(
                model=self.subject.model,
                messages=list(messages),  # type: ignore[arg-type]
                max_tokens=tokens,
                temperature=0,
            )
        except openai.AuthenticationError as error:
            raise EngineUnauthorized(f"{self.subject.address} does not accept the key.") from error
        except openai.APIStatusError as error:
            raise EngineRefused(
                f"{self.subject.address} answered {error.status_code}. Its answers so far are kept."
            ) from error
        except openai.APIConnectionError as error:
            raise EngineUnreachable(
                f"{self.subject.address} cannot be reached. Run the same command again later: "
                "answers so far are kept."
            ) from error
        text = done.choices[0].message.content or ""
        count = done.usage.completion_tokens if done.usage else 0
        return TimedReply(text.strip(), count, time.monotonic() - started)


def resident() -> int:
    """Bytes of memory that this process holds now, garbage collected before."""
    gc.collect()
    return own_memory()


def _nats(logits: Any, followed: Sequence[int]) -> float:
    """What the tokens cost which followed; logits of shape (tokens, vocabulary)."""
    wide = np.asarray(logits, dtype=np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    normal = np.log(np.exp(shifted).sum(axis=1))
    return float((normal - shifted[np.arange(len(followed)), list(followed)]).sum())
