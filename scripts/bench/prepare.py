"""Time and memory of `prepare` on raw exports of several sizes: cleaned, redacted, split.

Each size is prepared by a fresh process with the usual number of workers. Memory is the highest sum
of PSS of that process and its workers, sampled ten times a second; pages they share count once. The
exponent says how the processors' time grows with the tickets: 1 is linear. On a machine that does
other things too, that time tells more than the minutes on the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.synthetic_export import write_export

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import os, sys, time
from pathlib import Path
from trainer.data.prepare import Sources, prepare
if __name__ == "__main__":
    stages, start = {}, time.monotonic()
    prepare(
        sources=Sources(zoho=Path(sys.argv[1])), out=Path(sys.argv[2]),
        progress=lambda stage, done, of: stages.update({stage: time.monotonic() - start}),
    )
    print("STAGES", stages["cleaning"], time.monotonic() - start, sum(os.times()[:4]))
"""


@dataclass(frozen=True)
class Measured:
    """What one size took."""

    tickets: int
    megabytes: float
    cleaning: float
    seconds: float
    processor: float
    peak: float
    card: dict[str, Any]


def main() -> None:
    """Measures the sizes and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000", help="tickets, separated by commas")
    parser.add_argument("--exports", type=Path, help="folder to keep the synthetic exports in")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kept = given.exports or Path(scratch)
        exports = [(int(size), kept / size) for size in given.sizes.split(",")]
        for size, export in exports:
            if not export.is_dir():
                write_export(export, size)
        found = [_measured(size, export) for size, export in exports]
    _print(found)
    if given.json:
        rows = [vars(measured) for measured in found]
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _measured(tickets: int, export: Path) -> Measured:
    size = (export / "desk" / "tickets.jsonl").stat().st_size / 1e6
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "program.py"
        program.write_text(_PROGRAM, encoding="utf-8")
        command = [sys.executable, str(program), str(export), str(folder / "out")]
        with subprocess.Popen(
            command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        ) as process:
            peak = _peak(process)
            output = process.stdout.read() if process.stdout else ""
        if process.returncode:
            sys.exit(f"prepare of {tickets} tickets failed with status {process.returncode}.")
        cleaning, seconds, processor = map(float, output.split()[-3:])
        card = json.loads((folder / "out" / "data_card.json").read_text(encoding="utf-8"))
    kept = ("examples", "splits", "dropped", "near_duplicates", "languages")
    facts = {name: card[name] for name in kept}
    return Measured(tickets, size, cleaning, seconds, processor, peak, facts)


def _peak(process: subprocess.Popen[str]) -> float:
    """The highest sum of PSS in MB until the process ends."""
    highest = 0.0
    while process.poll() is None:
        highest = max(highest, sum(_pss(pid) for pid in _family(process.pid)))
        time.sleep(0.1)
    return highest


def _family(pid: int) -> list[int]:
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(member for child in below for member in _family(int(child)))]


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = next((line for line in lines if line.startswith("Pss:")), "Pss: 0")
    return int(found.split()[1]) / 1024


def _print(found: Sequence[Measured]) -> None:
    head = ("tickets", "MB", "minutes", "cleaning", "CPU min", "ms each", "peak MB", "exponent")
    print("".join(f"{name:>10}" for name in (*head, "examples", "near dup.")))
    before: Measured | None = None
    for measured in found:
        growth = "-"
        if before:
            ratio = measured.processor / before.processor
            growth = f"{math.log(ratio) / math.log(measured.tickets / before.tickets):.2f}"
        cells = (
            f"{measured.tickets}",
            f"{measured.megabytes:.0f}",
            f"{measured.seconds / 60:.2f}",
            f"{measured.cleaning / 60:.2f}",
            f"{measured.processor / 60:.2f}",
            f"{1000 * measured.processor / measured.tickets:.1f}",
            f"{measured.peak:.0f}",
            growth,
            f"{measured.card['examples']}",
            f"{measured.card['near_duplicates']['beyond_the_first']}",
        )
        print("".join(f"{cell:>10}" for cell in cells))
        before = measured
    print(json.dumps(found[-1].card, indent=2))


if __name__ == "__main__":
    main()
