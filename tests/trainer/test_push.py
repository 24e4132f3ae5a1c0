"""Pushing a model to a hub on this machine, and fetching it back as the backend does.

The command runs in a process of its own: huggingface_hub reads its settings when it is imported,
and uploads the plain way of git-lfs only if it is told so, since nothing here speaks Xet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain.errors import Forbidden
from backend.domain.model_card import ModelCard
from backend.services.fetch_model import fetch, hub_file
from backend.system.files import sha256_of
from backend.system.hub import Hub
from tests.hub_server import TOKEN, Repository, hub_server
from tests.hub_server import Hub as LocalHub
from tests.tiny_gguf import write_tiny_gguf
from trainer.hub.push import Push, push

REPOSITORY = "team/answers"


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with hub_server() as found:
        yield found


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = write_tiny_gguf(tmp_path / "tuned.gguf")
    card = ModelCard(
        name="tuned", sha256=sha256_of(path), base="llama", metrics={"parity_f16": {"kl": 1e-7}}
    )
    (tmp_path / "tuned.model_card.json").write_text(card.to_json())
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    for name in ("adapter_config.json", "training.json"):
        (folder / name).write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "checkpoint.pt").write_bytes(b"stays at home")
    return folder


def run(hub: LocalHub, *arguments: object, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer", "push", *map(str, arguments)],
        env={
            **os.environ,
            "HF_TOKEN": token,
            "HF_ENDPOINT": hub.addresses[0],
            "HF_HUB_DISABLE_XET": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_pushed_can_be_fetched(
    hub: LocalHub, gguf: Path, trained: Path, tmp_path: Path
) -> None:
    hub.repositories.clear()

    done = run(hub, "--repository", REPOSITORY, "--gguf", gguf, "--adapter", trained)

    assert done.returncode == 0, done.stderr
    file = hub_file(done.stdout.split()[-1])
    path = fetch(file, tmp_path / "models", hub=Hub(TOKEN, hub.addresses[0]))
    assert path.read_bytes() == gguf.read_bytes()
    repository = hub.repositories[REPOSITORY]
    assert repository.private
    assert set(repository.commits[repository.head]) == {
        ".gitattributes",
        "README.md",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "adapter/training.json",
        "tuned.gguf",
        "tuned.model_card.json",
    }
    readme = repository.commits[repository.head]["README.md"].decode()
    assert "| parity_f16.kl | 1e-07 |" in readme
    assert TOKEN not in done.stdout + done.stderr


def test_the_template_that_the_base_lacks_goes_with_the_adapter(
    hub: LocalHub, gguf: Path, trained: Path
) -> None:
    (trained / "chat_template.jinja").write_text("### Reply")

    done = run(hub, "--repository", "team/template", "--gguf", gguf, "--adapter", trained)

    assert done.returncode == 0, done.stderr
    repository = hub.repositories["team/template"]
    assert repository.commits[repository.head]["adapter/chat_template.jinja"] == b"### Reply"


def test_a_public_repository_is_refused(hub: LocalHub, gguf: Path) -> None:
    hub.repositories[REPOSITORY] = Repository(private=False)

    done = run(hub, "--repository", REPOSITORY, "--gguf", gguf)

    assert done.returncode == 1
    assert "team/answers is public" in done.stderr
    assert hub.repositories[REPOSITORY].commits == {}


def test_a_token_that_may_not_write_is_told_and_not_printed(hub: LocalHub, gguf: Path) -> None:
    done = run(hub, "--repository", REPOSITORY, "--gguf", gguf, token="hf_reader")

    assert done.returncode == 1
    assert "does not let this token write" in done.stderr
    assert "hf_reader" not in done.stdout + done.stderr


def test_another_file_than_the_card_names_stays_at_home(hub: LocalHub, gguf: Path) -> None:
    card = gguf.with_name("tuned.model_card.json")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"sha256": "0" * 64}))

    done = run(hub, "--repository", REPOSITORY, "--gguf", gguf)

    assert done.returncode == 1
    assert "Export it again" in done.stderr


def test_without_a_token_nothing_begins(gguf: Path) -> None:
    with pytest.raises(Forbidden, match="There is no token"):
        push(Push(REPOSITORY, gguf), hub=Hub())
