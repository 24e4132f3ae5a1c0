"""Presidio's own pattern recognisers on the same texts, where presidio-analyzer is installed."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from backend.privacy import Span
from backend.privacy.detect.known import Known
from scripts.bench.privacy_scores import ALL, Finder, score
from scripts.bench.privacy_sets import Row

RECOGNISERS = {
    "CreditCardRecognizer": "CARD",
    "EmailRecognizer": "EMAIL",
    "IbanRecognizer": "IBAN",
    "IpRecognizer": "IP",
    "PhoneRecognizer": "PHONE",
    "UsSsnRecognizer": "TAX_ID",
    "UsPassportRecognizer": "PASSPORT",
}


def compare(console: Console, rows: Sequence[Row], find: Finder) -> None:
    """Prints both recalls and precisions, and the ratio of the times for one text."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        console.print("presidio-analyzer is not installed: nothing to compare with.")
        return
    theirs = _finder()
    table = Table(title="against Presidio's pattern recognisers (no language model)")
    for column in ("label", "spans", "recall", "theirs", "precision", "theirs"):
        table.add_column(column, justify="left" if column == "label" else "right")
    ours_scores, their_scores = (score(rows, finder, contact=False) for finder in (find, theirs))
    for label in dict.fromkeys(RECOGNISERS.values()):
        own, other = ours_scores.get((ALL, ALL, label)), their_scores.get((ALL, ALL, label))
        if own and other:
            numbers = (own.recall, other.recall, own.precision, other.precision)
            shown = ("-" if number is None else f"{number:.3f}" for number in numbers)
            table.add_row(label, str(own.asked), *shown)
    console.print(table)
    ours_ms, their_ms = (_milliseconds(rows, finder) for finder in (find, theirs))
    console.print(
        f"ms a text: {ours_ms:.3f} (all labels, names too) against {their_ms:.3f} "
        f"(patterns only), ratio {their_ms / ours_ms:.2f}"
    )


def _finder() -> Finder:
    module: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
    made = [(getattr(module, name)(), label) for name, label in RECOGNISERS.items()]

    def find(text: str, known: Known = Known()) -> list[Span]:  # noqa: B008 - a frozen value
        found: list[Span] = []
        for recogniser, label in made:
            for entity in recogniser.analyze(text, recogniser.supported_entities, None) or ():
                value: Any = label
                if entity.score > 0.1:
                    shown = text[entity.start : entity.end]
                    found.append(Span(entity.start, entity.end, value, shown))
        return found

    return find


def _milliseconds(rows: Sequence[Row], find: Finder) -> float:
    begun = time.perf_counter()
    for row in rows:
        find(row.text)
    return (time.perf_counter() - begun) / len(rows) * 1000
