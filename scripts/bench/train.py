"""Our training loop against TRL's SFTTrainer: the same base, rows, LoRA and settings.

    python -m scripts.bench train [--shape tiny|tiny-gptj|small|llama2-7b|…] [--rounds 3]
    python -m scripts.bench train --against returning --shape tiny-gptj

Or against `returning`, which is ours, but memory that is freed goes back to the system, as usual
on a CPU. Each side runs in a process of its own, in turn, on one NF4 base with random weights;
printed are medians of tokens a second (padding does not count, loading neither) and the peak of
memory: of the GPU if there is one, else of the process, with its libraries. TRL is no part of
this project: install it beside the trainer's packages for it (pip install trl==1.16.0).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.bench.train_shapes import SHAPES, write_base, write_examples

OTHERS = ("TRL", "returning")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=16, help="of each run")
    parser.add_argument("--batch-rows", type=int, default=4, help="rows of a step, all at once")
    parser.add_argument("--row-tokens", type=int, default=1024, help="longest row")
    parser.add_argument("--full", action="store_true", help="every row as long as can be")
    parser.add_argument("--against", choices=OTHERS, default="TRL")
    parser.add_argument("--only", choices=("ours", *OTHERS), help="measure one side")
    given = parser.parse_args(arguments)
    sides = (given.only,) if given.only else ("ours", given.against)
    if "TRL" in sides and importlib.util.find_spec("trl") is None:
        sys.stderr.write("TRL is not there: pip install trl==1.16.0, or give --only ours.\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        base = write_base(given.shape, work / "base")
        examples = write_examples(
            base, work / "data", rows=given.steps * given.batch_rows, longest=given.row_tokens,
            full=given.full,
        )  # fmt: skip
        job = {
            "base": str(base),
            "examples": str(examples),
            "batch_rows": given.batch_rows,
            "row_tokens": given.row_tokens,
            **SHAPES[given.shape].training,
        }
        seen: dict[str, list[Mapping[str, Any]]] = {side: [] for side in sides}
        for number in range(given.rounds):
            for side in sides if number % 2 == 0 else reversed(sides):
                seen[side].append(_run(side, job, work))
                sys.stderr.write(f"round {number + 1}, {side}: {json.dumps(seen[side][-1])}\n")
    Console(width=110).print(_table(seen, given.shape))
    return 0


def _run(side: str, job: Mapping[str, Any], work: Path) -> Mapping[str, Any]:
    (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.bench.train_sides", side, str(work / "job.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        sys.exit(f"{side} failed:\n{ended.stderr[-3000:]}")
    told: Mapping[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def _table(seen: Mapping[str, Sequence[Mapping[str, Any]]], shape: str) -> Table:
    table = Table("", *seen, *((" / ".join(seen),) if len(seen) == 2 else ()), title=shape)
    rows = (
        ("tokens/s", "speed", "{:,.0f}"),
        ("peak memory, GB", "peak_gb", "{:.2f}"),
        ("the same without what was there after loading, GB", "added_gb", "{:.2f}"),
        ("loss of the first step", "first_loss", "{:.3f}"),
        ("loss of the last step", "last_loss", "{:.3f}"),
    )
    for title, name, form in rows:
        middle = [statistics.median(one[name] for one in runs) for runs in seen.values()]
        ratio = [f"{middle[0] / middle[1]:.2f}"] if len(middle) == 2 else []
        table.add_row(title, *(form.format(one) for one in middle), *ratio)
    return table


if __name__ == "__main__":
    sys.exit(main())
