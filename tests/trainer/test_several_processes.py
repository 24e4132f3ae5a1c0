"""Two processes on the CPU train one model together, as a cluster would (FSDP with QLoRA)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from backend.domain.errors import BadSettings
from tests.trainer.processes import ranks, start
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


def _go_on(outs: Sequence[Path], base: Path, examples: Path) -> list[str]:
    """What two processes say that go on in these folders; the first leads."""
    said = [out.with_name(f"{out.name}.said.{rank}") for rank, out in enumerate(outs)]
    running = [
        start(main, _step(out, base, examples), said=file, environment=place)
        for out, file, place in zip(outs, said, ranks(len(outs)), strict=True)
    ]
    try:
        for process in running:
            process.join(timeout=300)
    finally:
        for process in running:
            process.kill()
            process.join()
    assert [process.exitcode for process in running] == [0, 0], said[0].read_text()
    return [file.read_text() for file in said]


def _kill_after_a_checkpoint(out: Path, base: Path, examples: Path, *, number: int) -> None:
    step = _step(out, base, examples, "--checkpoint-minutes 0")
    said = out.with_name(f"{out.name}.said")
    running = [start(main, step, said=said, environment=place) for place in ranks(number)]
    try:
        while not (out / "checkpoint.pt").exists():
            assert all(process.is_alive() for process in running), said.read_text()
            time.sleep(0.005)
    finally:
        for process in running:
            process.kill()
            process.join()


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
    out = tmp_path / "out"
    _kill_after_a_checkpoint(out, base, examples, number=2)
    assert not (out / "training.json").exists()

    _go_on((out, out), base, examples)

    losses, whole = (
        [step["loss"] for step in _record(folder).history["steps"]] for folder in (out, together)
    )
    assert losses == pytest.approx(whole, abs=1e-5)


def test_more_machines_go_on_from_what_the_leader_has(
    base: Path, examples: Path, together: Path, tmp_path: Path
) -> None:
    leader, other = tmp_path / "leader", tmp_path / "other"
    _kill_after_a_checkpoint(leader, base, examples, number=1)

    said = _go_on((leader, other), base, examples)

    assert [text.splitlines()[-1].partition(" is in ")[0] for text in said] == ["The adapter"] * 2
    losses, whole = (
        [step["loss"] for step in _record(folder).history["steps"]] for folder in (leader, together)
    )
    assert losses == pytest.approx(whole, rel=1e-3)
    assert _go_on((leader, other), base, examples)[1].splitlines()[-1] in said[1]


def test_the_8_bit_optimiser_is_refused_with_what_to_do() -> None:
    paged = replace(SETTINGS, loop=replace(LOOP, optimiser="paged_adamw_8bit"))

    check(paged, ProcessGroup())
    with pytest.raises(BadSettings, match="Give --optimiser adamw"):
        check(paged, ProcessGroup(rank=1, size=2))
