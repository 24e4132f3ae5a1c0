"""What can be evaluated: a model's folder, a GGUF, and (in `endpoint`) what has an address.

Each answers a prompt as greedily as it can, and where the engine allows says how surprised it is
by the answer that a person gave.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import psutil  # type: ignore[import-untyped,unused-ignore]
import torch
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from transformers import AutoTokenizer

from backend.cleaning.files import sha256_of
from backend.domain.errors import NotAGguf
from backend.domain.prompt import Message
from trainer.parity import opened
from trainer.reference import load_model, logits_of
from trainer.steps import mark_of_folder

PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""How a model without a chat template is asked, as the backend's runner does it."""


@dataclass(frozen=True)
class Reply:
    """An answer and what it cost. `loss` are the nats of the human answer, over `loss_tokens`."""

    text: str
    tokens: int
    seconds: float
    loss: float | None = None
    loss_tokens: int = 0


class Engine(Protocol):
    """A subject that has been loaded."""

    def reply(self, messages: Sequence[Message], human: str, *, tokens: int) -> Reply:
        """The answer to a prompt, of so many tokens at most."""
        ...


class Subject(Protocol):
    """Something to be evaluated, under a name."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def mark(self) -> str:
        """Changes when it would answer otherwise."""
        ...

    def engine(self) -> Any:
        """A context in which it is loaded, as an Engine."""
        ...


@dataclass(frozen=True)
class FolderSubject:
    """A model of transformers."""

    name: str
    folder: Path

    def mark(self) -> str:
        """Of its files."""
        return mark_of_folder(self.folder)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Loaded in float32, or read from the disk layer by layer if it does not fit."""
        with TemporaryDirectory() as folder:
            model = load_model(self.folder, offload=Path(folder))
            yield _FolderEngine(model, AutoTokenizer.from_pretrained(self.folder))


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

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Loaded on the CPU."""
        with opened(self.path, context=self.context) as model:
            yield _GgufEngine(model)


def resident() -> int:
    """Bytes of memory that this process holds now, pages of mapped files among them."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


@dataclass(frozen=True)
class _FolderEngine:
    model: Any
    tokenizer: Any

    def reply(self, messages: Sequence[Message], human: str, *, tokens: int) -> Reply:
        prompt = self.tokenizer.apply_chat_template(
            list(messages),
            chat_template=self.tokenizer.chat_template or PLAIN,
            tokenize=False,
            add_generation_prompt=True,
        )
        ids = self._ids(prompt)
        started = time.monotonic()
        with torch.no_grad():
            whole = self.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.eos_token_id,
            )
        seconds = time.monotonic() - started
        written = [int(token) for token in whole[0, len(ids) :]]
        answer = [*self._ids(human), self.tokenizer.eos_token_id]
        (logits,) = logits_of(self.model, [[*ids, *answer]])
        return Reply(
            text=self.tokenizer.decode(written, skip_special_tokens=True).strip(),
            tokens=len(written),
            seconds=seconds,
            loss=_loss(logits[len(ids) - 1 : -1], answer),
            loss_tokens=len(answer),
        )

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


class _GgufEngine:
    def __init__(self, model: Any) -> None:
        self._model = model
        self._template = Jinja2ChatFormatter(
            template=model.metadata.get("tokenizer.chat_template") or PLAIN,
            eos_token=self._text(model.token_eos()),
            bos_token=self._text(model.token_bos()),
        )

    def reply(self, messages: Sequence[Message], human: str, *, tokens: int) -> Reply:
        model = self._model
        prompt = self._template(messages=list(messages)).prompt  # type: ignore[arg-type]
        ids = model.tokenize(prompt.encode(), add_bos=False, special=True)
        started = time.monotonic()
        model.reset()
        model.eval(ids)
        written: list[int] = []
        while len(written) < tokens and model.n_tokens < model.n_ctx():
            token = int(np.argmax(model.scores[model.n_tokens - 1]))
            if token == model.token_eos():
                break
            written.append(token)
            model.eval([token])
        seconds = time.monotonic() - started
        answer = [*model.tokenize(human.encode(), add_bos=False, special=False), model.token_eos()]
        answer = answer[: model.n_ctx() - len(ids)]
        model.reset()
        model.eval([*ids, *answer])
        return Reply(
            text=model.detokenize(written).decode(errors="replace").strip(),
            tokens=len(written),
            seconds=seconds,
            loss=_loss(model.scores[len(ids) - 1 : len(ids) + len(answer) - 1], answer),
            loss_tokens=len(answer),
        )

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self._model.detokenize([token], special=True).decode(errors="replace"))


def _loss(logits: Any, followed: Sequence[int]) -> float:
    """Nats that the tokens cost which followed; logits of shape (tokens, vocabulary)."""
    wide = np.asarray(logits, dtype=np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    normal = np.log(np.exp(shifted).sum(axis=1))
    return float((normal - shifted[np.arange(len(followed)), list(followed)]).sum())
