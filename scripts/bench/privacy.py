"""How much personal data `backend.privacy` finds, how much else it takes for it, and how fast.

    python -m scripts.bench privacy [--folder FOLDER] [--half seen|unseen|all] [--misses]

A labelled span counts as found if every letter and digit of it lies in finds of the same label; a
find is right if it touches a span of its label. Labels that the product does not hide (places,
organisations, dates, ages, titles, web domains, lone zip codes) are not asked for, and a find on
one of them is wrong. So is one on what a person marked as KEEP: that row's recall is the share that
stayed. A label that ends in `?` is neither right nor wrong. The handwritten set is made to be hard
and scored apart. The halves are drawn by a hash of the row's id: rules are only ever written
with the `seen` half in view.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench import privacy_presidio
from scripts.bench.privacy_scores import Finder, Score, score
from scripts.bench.privacy_sets import Row, read_sets

DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pii"
MOST_SHOWN = 400


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=DEFAULT, help="labelled sets (JSONL)")
    parser.add_argument("--half", choices=("seen", "unseen", "all"), default="all")
    parser.add_argument("--misses", action="store_true", help="list misses and wrong finds")
    parser.add_argument("--presidio", action="store_true", help="compare with its patterns")
    given = parser.parse_args(arguments)
    console = Console()
    rows = read_sets(given.folder, given.half)
    before = _resident_mb()
    from backend.privacy.detect import find

    find("Warm up: Олена Коваленко and John, tel. +380501234567.")
    console.print(f"{len(rows)} texts, half: {given.half}")
    for title, contact in (("without a contact", False), ("the ticket names its contact", True)):
        found = score(rows, find, contact=contact)
        _show(console, title, found)
        if given.misses and not contact:
            _list(console, found)
    _show_alarms(console, rows, find)
    _show_speed(console, rows, find, before)
    if given.presidio:
        privacy_presidio.compare(console, rows, find)
    return 0


def _show(console: Console, title: str, scores: dict[tuple[str, str, str], Score]) -> None:
    table = Table(title=title)
    for column in ("set", "language", "label", "spans", "recall", "hidden", "precision", "F1"):
        table.add_column(
            column, justify="left" if column in ("set", "language", "label") else "right"
        )
    for (name, language, label), counts in sorted(scores.items()):
        if counts.asked or counts.wrong:
            numbers = (counts.recall, counts.hidden_share, counts.precision, counts.f1)
            shown = ("-" if number is None else f"{number:.3f}" for number in numbers)
            table.add_row(name, language, label, str(counts.asked), *shown)
    console.print(table)


def _list(console: Console, scores: dict[tuple[str, str, str], Score]) -> None:
    for (name, language, label), counts in sorted(scores.items()):
        for kind, texts in (("missed", counts.missed), ("wrong", counts.mistaken)):
            for text in texts[:MOST_SHOWN]:
                console.print(
                    f"{kind} {name} {language} {label}: {text}", markup=False, soft_wrap=True
                )


def _show_alarms(console: Console, rows: Sequence[Row], find: Finder) -> None:
    """How often something is found in a text that has nothing labelled, such as one of versions."""
    for name in sorted({row.set for row in rows}):
        empty = [row for row in rows if row.set == name and not row.labelled]
        alarms = sum(bool(find(row.text)) for row in empty)
        console.print(f"{name}: {len(empty)} texts without any label, finds in {alarms} of them")


def _show_speed(console: Console, rows: Sequence[Row], find: Finder, before: float) -> None:
    """Time of one thread over all texts, twice; the better one counts."""
    texts = [row.text for row in rows]
    best = min(_seconds(texts, find) for _ in range(2))
    kilobytes = sum(len(text.encode()) for text in texts) / 1000
    console.print(
        f"speed: {best / len(texts) * 1000:.3f} ms a text, {len(texts) / best:,.0f} texts/s, "
        f"{best / kilobytes * 1000:.3f} ms a kB ({kilobytes / len(texts):.2f} kB a text)\n"
        f"memory: {_resident_mb() - before:.0f} MB more than before (import, lists, dictionaries)"
    )


def _seconds(texts: Sequence[str], find: Finder) -> float:
    begun = time.perf_counter()
    for text in texts:
        find(text)
    return time.perf_counter() - begun


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
