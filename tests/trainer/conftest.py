"""One tiny training for all tests of the trainer: each step's result is the next one's start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.tiny import LOOP, SETTINGS, SIZE, write_corpus
from trainer.data.prepare import prepare, read_examples
from trainer.gguf.merge import merge
from trainer.tuning.pretrain import pretrain
from trainer.tuning.settings import PretrainSettings
from trainer.tuning.train import train


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workshop")


@pytest.fixture(scope="session")
def examples(workshop: Path) -> Path:
    articles, tickets = write_corpus(workshop / "corpus")
    prepare(articles=articles, tickets=tickets, out=workshop / "data")
    return workshop / "data" / "examples.jsonl"


@pytest.fixture(scope="session")
def base(workshop: Path, examples: Path) -> Path:
    settings = PretrainSettings(size=SIZE, loop=LOOP, prompt_tokens=300)
    pretrain(read_examples(examples), out=workshop / "base", settings=settings)
    return workshop / "base"


@pytest.fixture(scope="session")
def adapter(workshop: Path, base: Path, examples: Path) -> Path:
    train(base=base, examples=examples, out=workshop / "adapter", settings=SETTINGS)
    return workshop / "adapter"


@pytest.fixture(scope="session")
def merged(workshop: Path, base: Path, adapter: Path) -> Path:
    return merge(base=base, adapter=adapter, out=workshop / "merged")
