"""A machine vanishes in the middle of a training; another one goes on from the hub's checkpoint."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from tests.hub_server import TOKEN, Hub, hub_server
from tests.trainer.processes import start
from trainer.cli import main
from trainer.record import read_record

REPOSITORY = "team/checkpoints"
CHANGES = (
    "--epochs 2 --rank 4 --alpha 8 --row-tokens 480 --prompt-tokens 300 --compute float32 "
    "--learning-rate 5e-3 --threads 1 --samples 0 --checkpoint-minutes 0"
)


KEEPING = """
import sys
from pathlib import Path
from trainer.hub.repository import hub_here
from trainer.hub.hub_checkpoints import HubCheckpoints
shelf = HubCheckpoints("team/checkpoints", mark="a" * 64, hub=hub_here(), say=print)
path = Path(sys.argv[1], "checkpoint.pt")
for text in ("at step 10", "at step 20", "at step 30"):
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)
    shelf.put(path)
shelf.close()
"""


def _keep(folder: Path, hub: Hub) -> str:
    """What is said while checkpoints of three moments are put on the hub in no time."""
    ended = subprocess.run(
        [sys.executable, "-c", KEEPING, str(folder)],
        env=_environment(hub, TOKEN, folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def _environment(hub: Hub, token: str, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HF_TOKEN": token,
        "HF_ENDPOINT": hub.addresses[0],
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home / "cache"),
    }


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_server() as found:
        yield found


def _start(out: Path, base: Path, examples: Path, hub: Hub, token: str) -> ForkServerProcess:
    step = f"train --base {base} --examples {examples} --out {out} {CHANGES}"
    return start(
        main,
        [*step.split(), "--checkpoints-to", REPOSITORY],
        said=_said(out),
        environment={"HF_TOKEN": token, "HF_ENDPOINT": hub.addresses[0]},
    )


def _said(out: Path) -> Path:
    return out.with_name(f"{out.name}.said")


def _checkpoints(hub: Hub) -> list[str]:
    repository = hub.repositories.get(REPOSITORY)
    files = repository.commits[repository.head] if repository else {}
    return [name for name in files if name.endswith("checkpoint.pt")]


def test_another_machine_goes_on(base: Path, examples: Path, hub: Hub, tmp_path: Path) -> None:
    first = _start(tmp_path / "gone", base, examples, hub, TOKEN)
    while not _checkpoints(hub) and first.is_alive():
        time.sleep(0.005)
    first.kill()
    first.join()
    assert not (tmp_path / "gone" / "training.json").exists()

    second = _start(tmp_path / "new", base, examples, hub, TOKEN)
    second.join()
    said = _said(tmp_path / "new").read_text()

    assert second.exitcode == 0, said
    assert f"Going on from the checkpoint in {REPOSITORY}." in said
    assert TOKEN not in said
    record = read_record(tmp_path / "new")
    assert record is not None
    steps = [int(step["step"]) for step in record.history["steps"]]
    assert steps == list(range(1, len(steps) + 1))
    assert hub.repositories[REPOSITORY].private
    assert _checkpoints(hub) == []
    assert list((tmp_path / "new").glob("*.pt*")) == []


def test_a_token_that_may_not_write_ends_it_before_the_training(
    base: Path, examples: Path, hub: Hub, tmp_path: Path
) -> None:
    refused = _start(tmp_path / "out", base, examples, hub, "hf_reader")

    refused.join()

    said = _said(tmp_path / "out").read_text()
    assert refused.exitcode == 1
    assert "does not let this token write" in said
    assert "hf_reader" not in said


def test_the_newest_checkpoint_takes_the_place_of_one_that_waits(hub: Hub, tmp_path: Path) -> None:
    assert _keep(tmp_path, hub) == ""

    repository = hub.repositories[REPOSITORY]
    assert repository.commits[repository.head][_checkpoints(hub)[0]] == b"at step 30"
    assert [path.name for path in tmp_path.glob("*.pt*")] == ["checkpoint.pt"]


def test_a_checkpoint_that_cannot_be_sent_is_told_of(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt.sent").mkdir()

    said = _keep(tmp_path, hub)

    assert "The checkpoint stayed here only: IsADirectoryError" in said
    assert _checkpoints(hub) == []


FETCHING = """
import sys
from pathlib import Path
from backend.domain.errors import ProductError
from trainer.hub.hub_checkpoints import HubCheckpoints
from trainer.hub.repository import hub_here
try:
    checkpoints = HubCheckpoints("team/checkpoints", mark="a" * 64, hub=hub_here(), say=print)
    print(checkpoints.fetch(Path(sys.argv[1])))
except ProductError as error:
    print(f"{type(error).__name__}: {error}")
"""


def _fetched(folder: Path, hub: Hub) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", FETCHING, str(folder)],
        env=_environment(hub, TOKEN, folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def test_a_checkpoint_that_cannot_be_fetched_is_told_as_a_download(
    hub: Hub, tmp_path: Path
) -> None:
    hub.failing = 503

    said = _fetched(tmp_path, hub)

    assert said.startswith("Unavailable: Could not read team/checkpoints/checkpoints/")
    assert "push" not in said


def test_only_the_checkpoint_itself_is_left_of_a_fetch(hub: Hub, tmp_path: Path) -> None:
    _keep(tmp_path, hub)
    (tmp_path / "other").mkdir()

    assert _fetched(tmp_path / "other", hub) == "True\n"

    assert (tmp_path / "other" / "checkpoint.pt").read_text() == "at step 30"
    left = [path.name for path in (tmp_path / "other").iterdir() if path.is_file()]
    assert left == ["checkpoint.pt"]
