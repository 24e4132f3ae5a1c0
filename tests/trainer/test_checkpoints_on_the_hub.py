"""A machine vanishes in the middle of a training; another one goes on from the hub's checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import TOKEN, Hub, hub_server
from trainer.record import read_record

REPOSITORY = "team/checkpoints"
CHANGES = (
    "--epochs 2 --rank 4 --alpha 8 --row-tokens 480 --prompt-tokens 300 --compute float32 "
    "--learning-rate 5e-3 --threads 1 --samples 0 --checkpoint-minutes 0"
)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_server() as found:
        yield found


def _start(out: Path, base: Path, examples: Path, hub: Hub, token: str) -> subprocess.Popen[str]:
    step = f"train --base {base} --examples {examples} --out {out} {CHANGES}"
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", *step.split(), "--checkpoints-to", REPOSITORY],
        env={
            **os.environ,
            "HF_TOKEN": token,
            "HF_ENDPOINT": hub.addresses[0],
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(out.parent / "cache"),
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def _checkpoints(hub: Hub) -> list[str]:
    repository = hub.repositories.get(REPOSITORY)
    files = repository.commits[repository.head] if repository else {}
    return [name for name in files if name.endswith("checkpoint.pt")]


def test_another_machine_goes_on(base: Path, examples: Path, hub: Hub, tmp_path: Path) -> None:
    first = _start(tmp_path / "gone", base, examples, hub, TOKEN)
    while not _checkpoints(hub) and first.poll() is None:
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (tmp_path / "gone" / "training.json").exists()

    second = _start(tmp_path / "new", base, examples, hub, TOKEN)
    said = second.communicate()[1]

    assert second.returncode == 0, said
    assert f"Going on from the checkpoint in {REPOSITORY}." in said
    assert TOKEN not in said
    record = read_record(tmp_path / "new")
    assert record is not None
    steps = [int(one["step"]) for one in record.history["steps"]]
    assert steps == list(range(1, len(steps) + 1))
    assert hub.repositories[REPOSITORY].private
    assert list((tmp_path / "new").glob("*.pt*")) == []


def test_a_token_that_may_not_write_ends_it_before_the_training(
    base: Path, examples: Path, hub: Hub, tmp_path: Path
) -> None:
    refused = _start(tmp_path / "out", base, examples, hub, "hf_reader")

    said = refused.communicate()[1]

    assert refused.returncode == 1
    assert "does not let this token write" in said
    assert "hf_reader" not in said
