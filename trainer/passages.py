"""Finds the passages that stand in a training prompt, ranked as in serving.

Serving has a full text index that shortens the list first and knows more word endings; the two
need not find the same passage for every question, only be right about equally often.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.domain.prompt import Passage
from backend.domain.similarity import (
    Vector,
    asked_vector,
    passage_vector,
    rarity,
    similarity,
    term_weights,
)

_WORD = re.compile(r"\w+")
_STEM = 6  # Ukrainian endings differ by case; the first letters of a word do not
_ALIKE = 0.5  # shared words of all words


@dataclass(frozen=True)
class Shelf:
    """Passages that can be searched: their vectors, and how rare each of their words is."""

    passages: tuple[Passage, ...]
    vectors: tuple[Vector, ...]
    rarities: dict[str, float]


def stems(text: str) -> Counter[str]:
    """The words of a text, in lower case, cut to their first letters."""
    return Counter(word[:_STEM] for word in _WORD.findall(text.lower()))


def shelf(asked: Sequence[tuple[Passage, str]]) -> Shelf:
    """A shelf of passages, each with the question it answered, if any."""
    weights = [
        term_weights(stems(passage.title), stems(question), stems(passage.text))
        for passage, question in asked
    ]
    found = Counter(word for one in weights for word in one)
    rarities = {word: rarity(count, len(weights)) for word, count in found.items()}
    vectors = tuple(passage_vector(one, rarities) for one in weights)
    return Shelf(tuple(passage for passage, _ in asked), vectors, rarities)


def nearest(question: str, on: Shelf, *, but: str = "", limit: int = 2) -> list[Passage]:
    """The best passages for a question, best first; never the one with the key `but`."""
    return [passage for passage in _ranked(question, on) if passage.key != but][:limit]


def helpful(question: str, answer: str, on: Shelf, *, but: str = "") -> Passage | None:
    """The best passage for a question among those that say about what the answer says.

    To be used in training only, where the answer is known.
    """
    wanted = stems(answer).keys()
    for passage in _ranked(question, on):
        words = stems(passage.text).keys()
        if passage.key != but and len(wanted & words) >= _ALIKE * len(wanted | words):
            return passage
    return None


def _ranked(question: str, on: Shelf) -> list[Passage]:
    vector = asked_vector(term_weights({}, stems(question)), on.rarities)
    scores = [similarity(vector, one) for one in on.vectors]
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return [
        replace(on.passages[place], score=round(scores[place], 4))
        for place in order
        if scores[place]
    ]
