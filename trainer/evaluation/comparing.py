"""From answers to figures: each subject alone, and each against the first one, ticket by ticket."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from backend.domain.example import Example
from trainer.evaluation.answers import Answer
from trainer.evaluation.intervals import Interval, difference_of, mean_of
from trainer.evaluation.measures import MACHINE, MEASURES, PERPLEXITY_OF, Measured

Rows = Mapping[str, Measured]
"""What was measured, by ticket."""


@dataclass(frozen=True)
class Figures:
    """One subject's means, and its differences to the baseline on the tickets that both have."""

    subject: str
    means: Mapping[str, Interval]
    differences: Mapping[str, Interval] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Plain values for JSON."""
        row = asdict(self)
        if PERPLEXITY_OF in self.means:
            row["perplexity"] = math.exp(self.means[PERPLEXITY_OF].value)
        return row


def figures(examples: Sequence[Example], answers: Sequence[Answer]) -> list[Figures]:
    """The figures of all subjects, in the order in which they were asked; the first is the base."""
    by_source = {one.source: one for one in examples}
    measured: dict[str, dict[str, dict[str, Measured]]] = {}
    for answer in answers:
        of_subject = measured.setdefault(answer.subject, {name: {} for name in MEASURES})
        for name, measure in MEASURES.items():
            value = measure(by_source[answer.source], answer)
            if value is not None:
                of_subject[name][answer.source] = value
    baseline = next(iter(measured.values()))
    return [
        Figures(
            subject,
            {name: mean_of(list(rows.values())) for name, rows in found.items() if rows},
            {} if found is baseline else _differences(found, baseline),
        )
        for subject, found in measured.items()
    ]


def _differences(found: Mapping[str, Rows], baseline: Mapping[str, Rows]) -> dict[str, Interval]:
    differences = {}
    for name, rows in found.items():
        both = [source for source in rows if source in baseline[name]]
        if both and name not in MACHINE:
            differences[name] = difference_of(
                [rows[source] for source in both], [baseline[name][source] for source in both]
            )
    return differences
