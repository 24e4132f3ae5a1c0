"""How alike two texts are, from 0 to 1, by the words they share and how telling those are.

Cosine of two term vectors, each term weighted by its rarity in the knowledge base. Three things
make one threshold good for any corpus and any length of question: rarity itself runs from 0 to 1
whatever the corpus holds; words of the question that are found nowhere still count against it;
and a question of few telling words never reaches 1, since little was asked (`_DOUBT`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TITLE_WEIGHT = 2.0
_DOUBT = 2.0  # as if each question had this many more words, of the rarest, that match nothing
_TRUST_IN_CITATIONS = 0.8

Counts = Mapping[str, int]
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Vector:
    """The weight of each term of a text, and the length that its products are divided by."""

    weights: Weights
    length: float


def rarity(found: int, total: int) -> float:
    """From near 0 (a term of almost all passages) to 1 (of none): inverse document frequency."""
    found = min(found, total)
    return math.log1p((total - found + 0.5) / (found + 0.5)) / math.log1p(2 * total + 1)


def term_weights(title: Counts, *fields: Counts) -> dict[str, float]:
    """What each term weighs by its places alone; in a title it counts twice, however often."""
    weights = dict.fromkeys(title, _TITLE_WEIGHT)
    for field in fields:
        for term, count in field.items():
            weights[term] = round(weights.get(term, 0.0) + 1 + math.log(count), 2)
    return weights


def asked_vector(weights: Weights, rarities: Weights) -> Vector:
    """The vector of a question. A term without a known rarity is the rarest there can be."""
    weighted = _by_rarity(weights, rarities)
    return Vector(weighted, math.sqrt(_squares(weighted) + _DOUBT))


def passage_vector(weights: Weights, rarities: Weights) -> Vector:
    """The vector of a passage."""
    weighted = _by_rarity(weights, rarities)
    return Vector(weighted, math.sqrt(_squares(weighted)))


def similarity(asked: Vector, passage: Vector) -> float:
    """From 0 (no word in common) towards 1 (a long question, word for word)."""
    shared = asked.weights.keys() & passage.weights.keys()
    product = sum(asked.weights[term] * passage.weights[term] for term in sorted(shared))
    return min(product / (asked.length * passage.length), 1.0) if product else 0.0


def with_citations(score: float, citing: Iterable[float]) -> float:
    """A passage's score when answers to questions of these similarities cited its article.

    Each citation takes its part of what is missing to 1, so the result stays from 0 to 1.
    """
    missing = 1.0 - score
    for likeness in citing:
        missing *= 1.0 - _TRUST_IN_CITATIONS * likeness
    return 1.0 - missing


def _by_rarity(weights: Weights, rarities: Weights) -> dict[str, float]:
    return {term: weight * rarities.get(term, 1.0) for term, weight in weights.items()}


def _squares(weights: Weights) -> float:
    return sum(weight * weight for weight in weights.values())
