"""When two finds are one: the same number grouped otherwise, the same person inflected."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.privacy import Label
from backend.privacy.detect.known import WORD
from backend.privacy.lexicon import stem

_SEPARATORS = re.compile(r"[\s().\-–/]")
_GROUPED: frozenset[Label] = frozenset({"PHONE", "CARD", "IBAN", "TAX_ID", "PASSPORT"})
_AS_IT_IS: frozenset[Label] = frozenset({"SECRET", "USERNAME"})


def canonical(label: Label, value: str) -> str:
    """What two spellings of one value have in common."""
    if label in _GROUPED:
        return _SEPARATORS.sub("", value).upper()
    return value if label in _AS_IT_IS else " ".join(value.casefold().split())


@dataclass
class Person:
    """Somebody in a ticket: the name as first seen, and the number of the placeholder if any."""

    name: str
    number: int | None = None


class People:
    """The people of a ticket, in the order of their first mention."""

    def __init__(self) -> None:
        self._all: list[tuple[Person, frozenset[str]]] = []
        self._places: dict[str, list[int]] = {}

    def called(self, name: str) -> Person:
        """The first one whose name this can be; somebody new if there is none.

        Only those are compared who share a word with the name: a ticket may hold a list of
        thousands.
        """
        stems = _stems(name)
        near = {place for word in stems for place in self._places.get(word, ())}
        for place in sorted(near):
            person, theirs = self._all[place]
            if _same(stems, theirs):
                return person
        return self.add(name)

    def add(self, name: str) -> Person:
        """Somebody new."""
        person, stems = Person(name), _stems(name)
        for word in stems:
            self._places.setdefault(word, []).append(len(self._all))
        self._all.append((person, stems))
        return person


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether all words of the shorter name are forms of words of the longer one.

    An initial stands for a word that begins with it, next to a surname that is the same.
    """
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    initials = {word for word in shorter if len(word) == 1}
    whole = shorter - initials
    return bool(whole) and whole <= longer and initials <= {word[0] for word in longer}


def _stems(name: str) -> frozenset[str]:
    words = (word.removesuffix("'s").removesuffix("’s") for word in WORD.findall(name))
    return frozenset(stem(word) or word.casefold() for word in words)
