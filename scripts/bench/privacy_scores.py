"""Counting for `scripts.bench.privacy`: what was found, hidden under another label, or mistaken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backend.privacy import Span
from backend.privacy.detect.known import Known
from scripts.bench.privacy_sets import HANDWRITTEN, KEEP, Gold, Row, with_contact

ALL = "(all)"


class Finder(Protocol):
    """Anything that finds personal data."""

    def __call__(self, text: str, known: Known = ...) -> list[Span]:
        """Finds in order, without overlaps."""
        ...


@dataclass
class Score:
    """Counts for one label."""

    asked: int = 0
    found: int = 0
    hidden: int = 0
    right: int = 0
    wrong: int = 0
    missed: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """Share of the spans that were found under their own label."""
        return self.found / self.asked if self.asked else None

    @property
    def hidden_share(self) -> float | None:
        """Share of the spans that no longer can be read, under whichever label."""
        return self.hidden / self.asked if self.asked else None

    @property
    def precision(self) -> float | None:
        """Share of the finds that touch a span of their label."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of recall and precision."""
        if not self.recall or not self.precision:
            return None
        return 2 * self.recall * self.precision / (self.recall + self.precision)


def score(rows: Sequence[Row], find: Finder, *, contact: bool) -> dict[tuple[str, str, str], Score]:
    """Scores by set, language and label, and over all sets; the handwritten one stays apart."""
    scores: dict[tuple[str, str, str], Score] = defaultdict(Score)
    for row in rows:
        finds = find(row.text, with_contact(row)) if contact else find(row.text)
        over = HANDWRITTEN if row.set == HANDWRITTEN else ALL
        for group in ((row.set, row.language), (over, ALL)):
            for gold in row.spans:
                _count_span(scores[*group, gold.label], row, gold, finds)
            for found in finds:
                _count_find(scores[*group, found.label], row, found)
            for kept in row.kept:
                _count_kept(scores[*group, KEEP], row, kept, finds)
    return dict(scores)


def _count_span(label: Score, row: Row, gold: Gold, finds: Sequence[Span]) -> None:
    found = _covered(row.text, gold, [span for span in finds if span.label == gold.label])
    label.asked += 1
    label.found += found
    label.hidden += _covered(row.text, gold, finds)
    if not found:
        label.missed.append(_shown(row, gold.start, gold.end))


def _count_find(label: Score, row: Row, found: Span) -> None:
    if any(_touch(found, gold) for gold in row.spans if gold.label == found.label):
        label.right += 1
    elif not any(_touch(found, gold) for gold in row.neither if gold.label == found.label):
        label.wrong += 1
        label.mistaken.append(_shown(row, found.start, found.end) + f"  ({found.why})")


def _count_kept(keep: Score, row: Row, kept: Gold, finds: Sequence[Span]) -> None:
    """What must stay counts as found if no find touches it."""
    keep.asked += 1
    if any(_touch(found, kept) for found in finds):
        keep.hidden += 1
        keep.missed.append(_shown(row, kept.start, kept.end))
    else:
        keep.found += 1


def _touch(found: Span, gold: Gold) -> bool:
    return found.start < gold.end and gold.start < found.end


def _covered(text: str, gold: Gold, finds: Sequence[Span]) -> bool:
    """Whether every letter and digit of the span lies in a find."""
    return all(
        not text[place].isalnum() or any(span.start <= place < span.end for span in finds)
        for place in range(gold.start, gold.end)
    )


def _shown(row: Row, start: int, end: int) -> str:
    before, after = row.text[max(0, start - 40) : start], row.text[end : end + 25]
    return f"{row.id} {before}⟦{row.text[start:end]}⟧{after}".replace("\n", "⏎")
