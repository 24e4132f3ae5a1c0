"""How well and how fast search finds, on tickets whose answers cite an article.

    python -m scripts.bench.search --articles FILE --tickets FILE [--other FILE]

Each sampled ticket is asked as if it were new (it is left out itself); what its answer cites is
the right article. `--other` gives questions on another subject, which should find nothing: from
them, and from the right and wrong first hits, a threshold can be chosen.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table
from sqlite_utils import Database

from backend.domain.passage import Passage, SolvedTicket
from backend.knowledge.ranking import find_passages, passages_for
from backend.knowledge.store import solved_tickets
from backend.services.import_knowledge import import_files
from backend.store.database import open_database

Thing = TypeVar("Thing")
THRESHOLDS = (0.1, 0.12, 0.15, 0.18, 0.2, 0.25, 0.3)


@dataclass
class Measured:
    """What was seen over all questions."""

    first: int = 0
    among_three: int = 0
    right: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    similar: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    other_similar: list[float] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, required=True)
    parser.add_argument("--other", type=Path, help="questions on another subject (JSONL)")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(Path(folder) / "search.db")
        import_files(
            articles=given.articles, tickets=given.tickets, db=db, progress=lambda count: None
        )
        sampled = _sample(db, given.sample, given.seed)
        other = _other(given.other, given.sample, given.seed) if given.other else []
        _print(db, sampled, _measure(db, sampled, other))
    return 0


def _sample(db: Database, number: int, seed: int) -> list[SolvedTicket]:
    known = {row["id"] for row in db.query("SELECT id FROM articles")}
    tickets = [ticket for ticket in solved_tickets(db=db) if known & set(ticket.cited)]
    return _shuffled(tickets, seed)[:number]


def _other(path: Path, number: int, seed: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(Path(folder) / "other.db")
        import_files(articles=None, tickets=path, db=db, progress=lambda count: None)
        asked = [ticket.asked for ticket in solved_tickets(db=db)]
    return _shuffled(asked, seed)[:number]


def _shuffled(things: Sequence[Thing], seed: int) -> list[Thing]:
    return random.Random(seed).sample(things, len(things))  # noqa: S311 - a sample, no secret


def _measure(db: Database, tickets: Sequence[SolvedTicket], other: Sequence[str]) -> Measured:
    measured = Measured()
    for ticket in tickets:
        found = find_passages(
            ticket.asked, db=db, kind="article", limit=3, exclude_source=ticket.id
        )
        hits = [_article(passage) in ticket.cited for passage in found]
        measured.first += any(hits[:1])
        measured.among_three += any(hits)
        if found:
            (measured.right if hits[0] else measured.wrong).append(found[0].score)
        measured.similar += _best(ticket.asked, db, "solved", ticket.id)
    for question in other:
        measured.other += _best(question, db, "article", "")
        measured.other_similar += _best(question, db, "solved", "")
    return measured


def _best(question: str, db: Database, kind: str, exclude: str) -> list[float]:
    found = find_passages(
        question,
        db=db,
        kind="solved" if kind == "solved" else "article",
        limit=1,
        exclude_source=exclude,
    )
    return [found[0].score if found else 0.0]


def _article(passage: Passage) -> str:
    return passage.key.removeprefix("article:").rpartition("#")[0]


def _print(db: Database, tickets: Sequence[SolvedTicket], measured: Measured) -> None:
    console = Console()
    number = len(tickets)
    console.print(
        f"{number} tickets. Right article first: {measured.first / number:.3f}, "
        f"among three: {measured.among_three / number:.3f}."
    )
    table = Table(title="Part of the best scores that reach a threshold")
    for column in ("threshold", "right article", "wrong article", "other subject: article"):
        table.add_column(column, justify="right")
    for column in ("most similar ticket", "other subject: ticket"):
        table.add_column(column, justify="right")
    for threshold in THRESHOLDS:
        columns = (measured.right, measured.wrong, measured.other)
        more = (measured.similar, measured.other_similar)
        table.add_row(
            f"{threshold:.2f}", *(_reaching(scores, threshold) for scores in (*columns, *more))
        )
    console.print(table)
    _print_times(console, db, [ticket.asked for ticket in tickets])


def _reaching(scores: Sequence[float], threshold: float) -> str:
    return f"{sum(score >= threshold for score in scores) / len(scores):.2f}" if scores else "-"


def _print_times(console: Console, db: Database, questions: Sequence[str]) -> None:
    table = Table(title=f"Milliseconds a question, {db.table('passages').count:,} passages")
    for column in ("", "median", "95 %", "median on the processor"):
        table.add_column(column, justify="right")
    searches: dict[str, Callable[[str], object]] = {
        "solved tickets": lambda asked: find_passages(asked, db=db, kind="solved", limit=3),
        "both pools": lambda asked: passages_for(asked, db=db, articles=2, solved=2),
    }
    for name, search in searches.items():
        wall, processor = [], []
        for asked in questions:
            started = time.perf_counter(), time.process_time()
            search(asked)
            wall.append((time.perf_counter() - started[0]) * 1000)
            processor.append((time.process_time() - started[1]) * 1000)
        slow = sorted(wall)[int(len(wall) * 0.95)]
        table.add_row(
            name,
            f"{statistics.median(wall):.1f}",
            f"{slow:.1f}",
            f"{statistics.median(processor):.1f}",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
