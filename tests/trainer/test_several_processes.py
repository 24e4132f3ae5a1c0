"""Two processes on the CPU train one model together, as a cluster would (FSDP with QLoRA)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from backend.domain.errors import BadSettings
from tests.trainer.tiny import LOOP, SETTINGS
from trainer.cli import main
from trainer.record import Record, read_record
from trainer.tuning.distributed import ProcessGroup
from trainer.tuning.train import check

CHANGES = (
    "--epochs 2 --rank 4 --alpha 8 --row-tokens 480 --prompt-tokens 300 --compute float32 "
    "--measurements 2 --learning-rate 5e-3 --threads 1 --samples 1 --sample-tokens 8"
)


LAUNCH = (
    "-m accelerate.commands.launch --use_fsdp --fsdp_version 2 --num_processes 2 --num_machines 1 "
    "--mixed_precision no --dynamo_backend no --main_process_port 0 -m trainer"
)


def _step(out: Path, base: Path, examples: Path, more: str = "") -> list[str]:
    step = f"train --base {base} --examples {examples} --out {out} {CHANGES} {more}"
    return step.split()


def _two_processes(out: Path, base: Path, examples: Path) -> str:
    ended = subprocess.run(
        [sys.executable, *LAUNCH.split(), *_step(out, base, examples)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "" if ended.returncode == 0 else ended.stderr


def _two_machines(outs: tuple[Path, Path], base: Path, examples: Path) -> list[str]:
    """What two processes say that share no disk; the first leads."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "trainer", *_step(out, base, examples)],
            env=os.environ | place | {"WORLD_SIZE": "2", "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, out in enumerate(outs)
    ]
    try:
        return [process.communicate(timeout=300)[0] for process in running]
    finally:
        for process in running:
            process.kill()


def _kill_after_a_checkpoint(out: Path, base: Path, examples: Path, launch: str = LAUNCH) -> None:
    step = _step(out, base, examples, "--checkpoint-minutes 0")
    command = [sys.executable, *launch.split(), *step]
    running = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not (out / "checkpoint.pt").exists():
            assert running.poll() is None
            time.sleep(0.005)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _record(folder: Path) -> Record:
    found = read_record(folder)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def alone(base: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    assert main(_step(out, base, examples)) == 0
    return out


@pytest.fixture(scope="module")
def together(base: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("together")
    assert _two_processes(out, base, examples) == ""
    return out


def test_two_processes_walk_the_steps_of_one(alone: Path, together: Path) -> None:
    one, two = _record(alone).history, _record(together).history

    assert len(one["steps"]) == len(two["steps"]) > 10
    for mine, theirs in zip(one["steps"], two["steps"], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-3)
        assert theirs["gradient"] == pytest.approx(mine["gradient"], rel=1e-2)
    for mine, theirs in zip(one["validation"], two["validation"], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=1e-3)


def test_their_adapter_is_whole(alone: Path, together: Path) -> None:
    one, two = (load_file(folder / "adapter_model.safetensors") for folder in (alone, together))

    assert {name: value.shape for name, value in two.items()} == {
        name: value.shape for name, value in one.items()
    }
    assert _record(together).counts == {**_record(alone).counts, "processes": 2}
    assert (together / "samples.md").exists()


def test_killed_together_they_go_on_together(
    base: Path, examples: Path, together: Path, tmp_path: Path
) -> None:
    _kill_after_a_checkpoint(tmp_path, base, examples)
    assert not (tmp_path / "training.json").exists()

    assert _two_processes(tmp_path, base, examples) == ""

    losses, whole = (
        [step["loss"] for step in _record(folder).history["steps"]]
        for folder in (tmp_path, together)
    )
    assert losses == pytest.approx(whole, abs=1e-5)


def test_more_machines_go_on_from_what_the_leader_has(
    base: Path, examples: Path, together: Path, tmp_path: Path
) -> None:
    leader, other = tmp_path / "leader", tmp_path / "other"
    _kill_after_a_checkpoint(leader, base, examples, "-m trainer")

    said = _two_machines((leader, other), base, examples)

    assert [text.splitlines()[-1].partition(" is in ")[0] for text in said] == ["The adapter"] * 2
    losses, whole = (
        [step["loss"] for step in _record(folder).history["steps"]] for folder in (leader, together)
    )
    assert losses == pytest.approx(whole, rel=1e-3)
    assert _two_machines((leader, other), base, examples)[1].splitlines()[-1] in said[1]


def test_the_8_bit_optimiser_is_refused_with_what_to_do() -> None:
    paged = replace(SETTINGS, loop=replace(LOOP, optimiser="paged_adamw_8bit"))

    check(paged, ProcessGroup())
    with pytest.raises(BadSettings, match="Give --optimiser adamw"):
        check(paged, ProcessGroup(rank=1, size=2))
