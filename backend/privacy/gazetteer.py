"""Names and ordinary words in Latin letters, loaded when the first text needs them.

The lists lie in `words/`; `scripts/collect_names.py` writes them and each says where it is from.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

_FIRST, _LAST, _WORD, _NOBODY = 1, 2, 4, 8
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Gazetteer:
    """What is known of a word. Words are asked for in lower case."""

    kinds: dict[str, int]

    def is_first(self, word: str) -> bool:
        """Whether somebody is called so, by first name."""
        return self.kinds.get(word, 0) & (_FIRST | _NOBODY) == _FIRST

    def is_last(self, word: str) -> bool:
        """Whether it is a surname."""
        return self.kinds.get(word, 0) & _LAST > 0

    def is_word(self, word: str) -> bool:
        """Whether it has another meaning, whatever else it is."""
        return self.kinds.get(word, 0) & (_WORD | _NOBODY) > 0

    def is_nobody(self, word: str) -> bool:
        """Whether it is a product, a place, a month or the like even where a name could stand."""
        return self.kinds.get(word, 0) & _NOBODY > 0


def gazetteer() -> Gazetteer:
    """The lists, read once; other threads wait for the one that reads."""
    with _LOCK:
        return _load()


@lru_cache(maxsize=1)
def _load() -> Gazetteer:
    kinds: dict[str, int] = {}
    for line in lines("names.txt"):
        name, _, letters = line.partition(" ")
        kinds[name] = _FIRST * ("f" in letters) | _LAST * ("l" in letters)
    for file, kind in (
        ("english.txt", _WORD),
        ("german.txt", _WORD),
        ("perhaps_people.txt", _WORD),
        ("not_people.txt", _NOBODY),
    ):
        for word in listed(file):
            kinds[word] = kinds.get(word, 0) | kind
    return Gazetteer(kinds)


def listed(file: str) -> Iterator[str]:
    """The words of a list in `words/`."""
    return (word for line in lines(file) for word in line.split())


def lines(file: str) -> Iterator[str]:
    """The lines of a list in `words/`, without its notes."""
    text = resources.files("backend.privacy").joinpath("words", file).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if not line.startswith("#"))
