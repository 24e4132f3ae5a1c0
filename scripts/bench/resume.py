"""A training that is killed again and again, against the same one left in peace.

    python -m scripts.bench resume [--kills 5]

Both tune a tiny base on the demo's tickets by the command that people use. One is killed
(SIGKILL) at random moments, in the middle of writing a checkpoint too, and started again; printed
are both losses, step by step the largest difference, and what was done twice.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.train_shapes import write_base
from trainer.data.prepare import Choices, prepare
from trainer.record import CHECKPOINT, Record, read_record

CORPUS = Path(__file__).resolve().parents[2] / "demo" / "corpus"
CHANGES = (
    "--epochs 1 --rank 8 --row-tokens 700 --prompt-tokens 300 --measurements 2 --dropout 0.1 "
    "--compute float32 --samples 0 --checkpoint-minutes 0.02"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains twice and prints; 1 if the losses differ by more than 0.001."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        base = write_base("tiny", work / "base")
        prepare(
            articles=CORPUS / "articles.jsonl",
            tickets=CORPUS / "solved_tickets.jsonl",
            out=work / "data",
            choices=Choices(article_examples=False, validation_share=0.1),
        )
        command = f"train --base {base} --examples {work / 'data' / 'examples.jsonl'} {CHANGES}"
        started = time.monotonic()
        peaceful = _run(command, work / "peace")
        seconds = time.monotonic() - started
        killed_at = _killed(command, work / "killed", given.kills, seconds, given.seed)
        killed = _run(command, work / "killed")
    return _tell(peaceful, killed, killed_at)


def _start(command: str, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", *command.split(), "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _run(command: str, out: Path) -> Record:
    if _start(command, out).wait() != 0:
        sys.exit("The training failed.")
    record = read_record(out)
    if record is None:
        sys.exit("The training wrote no record.")
    return record


def _killed(command: str, out: Path, kills: int, seconds: float, seed: int) -> list[float]:
    """Kills that many runs, each at a random moment after its first checkpoint; says when."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    moments: list[float] = []
    while len(moments) < kills:
        started, before = time.monotonic(), _written(out)
        running = _start(command, out)
        while _written(out) == before and running.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, seconds / (2 * kills + 2)))
        if running.poll() is not None:
            sys.exit("It ended before it could be killed; give fewer --kills.")
        running.send_signal(signal.SIGKILL)
        running.wait()
        moments.append(time.monotonic() - started)
        sys.stderr.write(f"killed after {moments[-1]:.1f} s\n")
    return moments


def _written(out: Path) -> int:
    """When the checkpoint was last written; 0 without one."""
    path = out / CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else 0


def _tell(peaceful: Record, killed: Record, killed_at: Sequence[float]) -> int:
    one, two = _losses(peaceful), _losses(killed)
    largest = max(abs(a - b) for a, b in zip(one, two, strict=True))
    ends = [record.history["validation"][-1]["loss"] for record in (peaceful, killed)]
    table = Table("", "in peace", f"killed {len(killed_at)} times", "difference")
    table.add_row("steps", str(len(one)), str(len(two)), "")
    table.add_row("loss of the last step", f"{one[-1]:.6f}", f"{two[-1]:.6f}", "")
    table.add_row(
        "validation loss at the end", *(f"{end:.6f}" for end in ends), f"{ends[1] - ends[0]:.1e}"
    )
    table.add_row("largest difference of a step's loss", "", "", f"{largest:.1e}")
    Console().print(table)
    return 0 if abs(ends[0] - ends[1]) < 1e-3 and largest < 1e-3 else 1


def _losses(record: Record) -> list[float]:
    return [step["loss"] for step in record.history["steps"]]


if __name__ == "__main__":
    sys.exit(main())
