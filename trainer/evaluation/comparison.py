"""From answers to figures: each subject alone, and each against the first one, ticket by ticket.

Intervals are bootstrapped over tickets, bias-corrected and accelerated (Efron 1987,
doi:10.1080/01621459.1987.10478410), since a golden set may have fewer than 50 tickets and its
losses are skewed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.domain.example import Example
from trainer.evaluation.answers import SubjectAnswer
from trainer.evaluation.measures import MACHINE, MEASURES, PERPLEXITY_OF, Measured

ByTicket = Mapping[str, Measured]
"""What was measured, by ticket."""
DRAWS = 10_000
SEED = 1
_NORMAL = NormalDist()
Array = npt.NDArray[np.float64]
Estimate = Callable[[npt.NDArray[np.int64]], Array]


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its 95 % interval, over so many tickets."""

    value: float
    low: float
    high: float
    tickets: int

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is clear of nothing."""
        return self.low > 0 or self.high < 0


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


def figures(examples: Sequence[Example], answers: Sequence[SubjectAnswer]) -> list[Figures]:
    """The figures of all subjects, in the order in which they were asked; the first is the base."""
    by_source = {example.source: example for example in examples}
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


def _differences(
    found: Mapping[str, ByTicket], baseline: Mapping[str, ByTicket]
) -> dict[str, Interval]:
    differences = {}
    for name, rows in found.items():
        both = [source for source in rows if source in baseline[name]]
        if both and name not in MACHINE:
            differences[name] = difference_of(
                [rows[source] for source in both], [baseline[name][source] for source in both]
            )
    return differences


def mean_of(rows: Sequence[Measured]) -> Interval:
    """The weighted mean of one subject's tickets."""
    sums = _sums(rows)
    return _interval(lambda drawn: _ratio(sums, drawn), len(rows))


def difference_of(rows: Sequence[Measured], baseline: Sequence[Measured]) -> Interval:
    """The mean minus the baseline's, of the same tickets in the same order."""
    ours, theirs = _sums(rows), _sums(baseline)
    return _interval(lambda drawn: _ratio(ours, drawn) - _ratio(theirs, drawn), len(rows))


def _sums(rows: Sequence[Measured]) -> Array:
    return np.array([[row.value * row.weight, row.weight] for row in rows], dtype=np.float64)


def _ratio(sums: Array, drawn: npt.NDArray[np.int64]) -> Array:
    """The weighted means of draws, shape (draws, tickets) in, (draws,) out."""
    totals = sums[drawn].sum(axis=1)
    quotient: Array = totals[:, 0] / totals[:, 1]
    return quotient


def _interval(estimate: Estimate, count: int) -> Interval:
    every = np.arange(count)
    value = float(estimate(every[None, :])[0])
    if count < 2:
        return Interval(value, value, value, count)
    chance = np.random.default_rng(SEED)
    parts = [
        estimate(chance.integers(0, count, size=(min(1000, DRAWS - start), count)))
        for start in range(0, DRAWS, 1000)
    ]
    draws = np.sort(np.concatenate(parts))
    without = np.stack([np.delete(every, place) for place in range(count)])
    low, high = (_bound(draws, value, estimate(without), share) for share in (0.025, 0.975))
    return Interval(value, low, high, count)


def _bound(draws: Array, value: float, jackknife: Array, share: float) -> float:
    """The BCa bound; where all tickets agree there is nothing to correct."""
    spread = jackknife.mean() - jackknife
    scale = float((spread**2).sum() ** 1.5)
    below = float((draws < value).mean() + (draws == value).mean() / 2)
    if scale == 0 or not 0 < below < 1:
        return float(np.quantile(draws, share))
    acceleration = float((spread**3).sum()) / (6 * scale)
    bias, wanted = _NORMAL.inv_cdf(below), _NORMAL.inv_cdf(share)
    shifted = bias + (bias + wanted) / (1 - acceleration * (bias + wanted))
    return float(np.quantile(draws, _NORMAL.cdf(shifted)))
