"""What can be evaluated: a model's folder, a GGUF, and (in `endpoint`) what has an address.

Each answers a prompt as greedily as it can, and where the engine allows says how surprised it is
by the answer that a person gave.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped,unused-ignore]

from backend.cleaning.files import sha256_of
from backend.domain.errors import NotAGguf
from trainer.cards import card_of
from trainer.chat import served_tokenizer
from trainer.evaluation.engines import Engine, FolderEngine, GgufEngine
from trainer.gguf_loading import opened
from trainer.record import read_record
from trainer.reference import load_model
from trainer.steps import mark_of_folder


@dataclass(frozen=True)
class Served:
    """How a model is asked where it is served: 0 tokens and -1 passages leave it to others."""

    prompt_tokens: int = 0
    passages: int = -1


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

    def served(self) -> Served:
        """By the record of its training, if it has one."""
        record = read_record(self.folder)
        return Served(record.prompt_tokens if record else 0)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Loaded in float32, or read from the disk layer by layer if it does not fit."""
        with TemporaryDirectory() as folder:
            model = load_model(self.folder, offload=Path(folder))
            yield FolderEngine(model, served_tokenizer(self.folder))


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
    def engine(self) -> Iterator[Engine]:
        """Loaded on the CPU."""
        with opened(self.path, context=self.context, logits="last") as model:
            yield GgufEngine(model)


def resident() -> int:
    """Bytes of memory that this process holds now, pages of mapped files among them."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)
