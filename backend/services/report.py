"""The study's tables out of the current ratings: counts, shares and weighted means by model.

Descriptive only: every current rating counts once, whoever gave it; superseded ones never do.
Numbers stay exact until they are shown, so CSV, JSON and terminal show the same digits.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.table import Table as TerminalTable
from rich.text import Text
from sqlite_utils import Database

from backend.domain.errors import Unknown
from backend.domain.rubric import HIGHEST, NEGATIVE_UP_TO, SCALE, WEIGHT_TOTAL, Criterion, Rubric
from backend.store.ratings import Flags, rating_flags, score_counts


@dataclass(frozen=True)
class Share:
    """A part of a whole, from 0 to 1, shown in percent with one decimal; None of nothing."""

    value: Fraction | None

    def __str__(self) -> str:
        if self.value is None:
            return ""
        tenths = (self.value * 1000 + Fraction(1, 2)).__floor__()  # halves go up
        return f"{tenths // 10}.{tenths % 10}"


@dataclass(frozen=True)
class Mean:
    """A mean or a weighted part of one, shown with ten significant digits; None of nothing."""

    value: Fraction | None

    def __str__(self) -> str:
        return "" if self.value is None else f"{float(self.value):.10g}"


Cell = str | int | Share | Mean


@dataclass(frozen=True)
class Table:
    """Rows under named columns, with a title and a note that says how to read them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Scores:
    """How often each score from 1 to 5 was given, by model and criterion, under one rubric."""

    rubric: Rubric
    models: tuple[str, ...]
    counts: Mapping[tuple[str, str], Mapping[int, int]]
    flags: Mapping[str, Flags]

    def of(self, model: str, criterion: Criterion) -> list[int]:
        """How often 1, 2, 3, 4 and 5 were given."""
        found = self.counts.get((model, criterion.key), {})
        return [found.get(score, 0) for score in SCALE]


def report(name: str, rubric: Rubric, *, db: Database, models: Sequence[str] = ()) -> Table:
    """The table `counts`, `shares` or `means`. Raises Unknown for any other name.

    Models come in the order given, those not named after them by name.
    """
    if name not in REPORTS:
        raise Unknown(f"There is no report {name!r}; there is {', '.join(REPORTS)}.")
    return REPORTS[name](_scores(rubric, models, db))


def counts(scores: Scores) -> Table:
    """How often each score was given, by model and criterion."""
    return Table(
        title=f"Ratings from 1 to 5: {scores.rubric.title}",
        columns=(*_first(scores.rubric), *map(str, SCALE), "n"),
        rows=_rows(scores, lambda given: (*given, sum(given))),
        note="n: scores given. A later rating by the same rater replaces the earlier one.",
    )


def shares(scores: Scores) -> Table:
    """Which part of the scores is negative and which positive, by model and criterion."""
    return Table(
        title=f"Negative and positive ratings: {scores.rubric.title}",
        columns=(*_first(scores.rubric), "negative %", "positive %", "n"),
        rows=_rows(scores, _negative_and_positive),
        note=f"Negative: 1 to {NEGATIVE_UP_TO}. Positive: {NEGATIVE_UP_TO + 1} to {HIGHEST}.",
    )


def means(scores: Scores) -> Table:
    """What each criterion adds to a model's weighted mean, and that mean."""
    criteria = scores.rubric.criteria
    return Table(
        title=f"Weighted means: {scores.rubric.title}",
        columns=(
            "model",
            *(criterion.key for criterion in criteria),
            "total",
            *(f"n {criterion.key}" for criterion in criteria),
            "ratings",
            "critical %",
        ),
        rows=tuple(_mean_row(model, scores) for model in scores.models),
        note="Each criterion: its weight times the mean of the scores it has (n). "
        + ", ".join(f"{criterion.key} {criterion.weight}/{WEIGHT_TOTAL}" for criterion in criteria)
        + ". Without any score for a criterion there is no total.",
    )


REPORTS: Mapping[str, Callable[[Scores], Table]] = {
    "counts": counts,
    "shares": shares,
    "means": means,
}


def _scores(rubric: Rubric, models: Sequence[str], db: Database) -> Scores:
    flags = rating_flags(rubric, db=db)
    order = (*(model for model in models if model in flags), *sorted(set(flags) - set(models)))
    return Scores(rubric, tuple(dict.fromkeys(order)), score_counts(rubric, db=db), flags)


def _first(rubric: Rubric) -> tuple[str, ...]:
    return ("model", "criterion") if len(rubric.criteria) > 1 else ("model",)


def _rows(
    scores: Scores, cells: Callable[[list[int]], tuple[Cell, ...]]
) -> tuple[tuple[Cell, ...], ...]:
    width = len(_first(scores.rubric))
    return tuple(
        (*(model, criterion.key)[:width], *cells(scores.of(model, criterion)))
        for model in scores.models
        for criterion in scores.rubric.criteria
    )


def _negative_and_positive(given: list[int]) -> tuple[Cell, ...]:
    number = sum(given)
    negative = sum(given[:NEGATIVE_UP_TO])
    return _share(negative, number), _share(number - negative, number), number


def _mean_row(model: str, scores: Scores) -> tuple[Cell, ...]:
    given = [scores.of(model, criterion) for criterion in scores.rubric.criteria]
    parts = [
        _contribution(criterion, counted)
        for criterion, counted in zip(scores.rubric.criteria, given, strict=True)
    ]
    present = [part for part in parts if part is not None]
    total = sum(present, Fraction()) if len(present) == len(parts) else None
    flags = scores.flags[model]
    return (
        model,
        *map(Mean, parts),
        Mean(total),
        *map(sum, given),
        flags.ratings,
        _share(flags.critical, flags.ratings),
    )


def _contribution(criterion: Criterion, given: Sequence[int]) -> Fraction | None:
    if not sum(given):
        return None
    points = sum(score * number for score, number in zip(SCALE, given, strict=True))
    return Fraction(criterion.weight * points, WEIGHT_TOTAL * sum(given))


def _share(part: int, whole: int) -> Share:
    return Share(Fraction(part, whole) if whole else None)


def as_csv(table: Table) -> str:
    """The table as CSV with a line of column names; title and note are left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[str(cell) for cell in row] for row in table.rows])
    return text.getvalue()


def as_json(table: Table) -> str:
    """The table as a JSON object; each row is an object by column names, null where empty."""
    return json.dumps(as_value(table), ensure_ascii=False, indent=2) + "\n"


def as_value(table: Table) -> dict[str, Any]:
    """What `as_json` writes, as a value."""
    return {
        "title": table.title,
        "columns": list(table.columns),
        "rows": [dict(zip(table.columns, map(_number, row), strict=True)) for row in table.rows],
        "note": table.note,
    }


def as_terminal(table: Table) -> TerminalTable:
    """The table for rich to print."""
    printed = TerminalTable(title=Text(table.title), caption=Text(table.note) or None)
    for place, column in enumerate(table.columns):
        left = any(isinstance(row[place], str) for row in table.rows)
        printed.add_column(Text(column), justify="left" if left else "right")
    for row in table.rows:
        printed.add_row(*(Text(str(cell)) for cell in row))
    return printed


def _number(cell: Cell) -> str | int | float | None:
    if isinstance(cell, str | int):
        return cell
    return None if cell.value is None else float(str(cell))
