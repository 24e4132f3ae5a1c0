"""Finds the passages that stand in a training prompt, as search finds them in serving.

Rows share words with a question; a rare word counts more than a common one (inverse document
frequency), and a long passage counts a little less. Serving searches with the database's full
text index; the two need not agree on every passage, only be right equally often.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.domain.prompt import Passage

_WORD = re.compile(r"\w+")
_STEM = 6  # Ukrainian endings differ by case; the first letters of a word do not
_ALIKE = 0.5  # shared words of all words


@dataclass(frozen=True)
class Shelf:
    """Passages that can be searched; `words` are those each passage is found by."""

    passages: tuple[Passage, ...]
    words: tuple[frozenset[str], ...]
    weights: dict[str, float]


def stems(text: str) -> frozenset[str]:
    """The words of a text, in lower case, cut to their first letters."""
    return frozenset(word[:_STEM] for word in _WORD.findall(text.lower()) if len(word) > 1)


def shelf(found_by: Sequence[tuple[Passage, str]]) -> Shelf:
    """A shelf of passages, each with the text it is found by."""
    words = tuple(stems(text) for _, text in found_by)
    counts = Counter(word for one in words for word in one)
    weights = {word: math.log(1 + len(words) / count) for word, count in counts.items()}
    return Shelf(tuple(passage for passage, _ in found_by), words, weights)


def nearest(question: str, on: Shelf, *, but: str = "", limit: int = 2) -> list[Passage]:
    """The best passages for a question, best first; never the one with the key `but`."""
    return [passage for passage in _ranked(question, on) if passage.key != but][:limit]


def helpful(question: str, answer: str, on: Shelf, *, but: str = "") -> Passage | None:
    """The best passage for a question among those that say about what the answer says.

    To be used in training only, where the answer is known.
    """
    wanted = stems(answer)
    alike = [
        passage
        for passage in on.passages
        if passage.key != but and _overlap(wanted, stems(passage.text)) >= _ALIKE
    ]
    if not alike:
        return None
    places = {passage.key: place for place, passage in enumerate(_ranked(question, on))}
    return min(alike, key=lambda passage: places.get(passage.key, len(on.passages)))


def _ranked(question: str, on: Shelf) -> list[Passage]:
    asked = stems(question)
    scored = []
    for place, words in enumerate(on.words):
        shared = sum(on.weights[word] for word in asked & words)
        if shared:
            scored.append((shared / math.sqrt(8 + len(words)), -place))
    scored.sort(reverse=True)
    return [replace(on.passages[-place], score=round(score, 4)) for score, place in scored]


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / max(1, len(first | second))
