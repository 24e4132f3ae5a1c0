"""Tables of a report, and how they look as CSV, as JSON and in a terminal.

Numbers stay exact until here. All three forms show the same digits.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.table import Table as TerminalTable
from rich.text import Text


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
