"""Capitalised words of a text, and runs of them that may be one name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.privacy.roles import Role, role

PARTICLE = frozenset(
    {"van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "el"}
    | {"al", "bin", "ben", "ibn", "ter", "ten", "zu", "st"}
)
_MOST_WORDS = 4
_PART_OF_PATH = re.compile(r"[\w@/\\_#.=&%$-]\Z")
_GOES_ON_AS_PATH = re.compile(r"[\w@/\\_=&%]|\.\w|:/|-\d")


@dataclass(frozen=True)
class Word:
    """A capitalised word or a particle; `gap` stands between it and the word before,
    and `place` is its place among all the words of the text.
    """

    start: int
    end: int
    text: str
    gap: str
    role: Role
    place: int

    @property
    def is_initial(self) -> bool:
        """Whether it is one letter."""
        return len(self.text) == 1


def capitalised(text: str, words: Sequence[re.Match[str]], *, russian: bool) -> list[Word]:
    """The words that can be part of a name, each with what stands before it."""
    found = []
    end = 0
    for place, match in enumerate(words):
        word = match.group()
        gap, end = text[end : match.start()], match.end()
        particle = word in PARTICLE
        if not (word[0].isupper() or particle) or (word == "I" and text[end : end + 1] != "."):
            continue
        if _PART_OF_PATH.search(gap) and not gap.endswith((". ", ".")):
            continue
        if _GOES_ON_AS_PATH.match(text, match.end()) and not _is_initial(word, text, match.end()):
            continue
        bare = word.removesuffix("'s").removesuffix("’s")
        kind = Role() if particle or len(bare) == 1 else role(bare, russian=russian)
        found.append(Word(match.start(), match.start() + len(bare), bare, gap, kind, place))
    return found


def _is_initial(word: str, text: str, end: int) -> bool:
    return len(word) == 1 and text[end : end + 1] == "."


def _run(capital: Sequence[Word], place: int, text: str) -> list[Word]:
    """The words from a place on that may be one name: next to each other, initials between."""
    run = [capital[place]]
    for word in capital[place + 1 : place + _MOST_WORDS + 1]:
        gap = text[run[-1].end : word.start]
        fits = gap in (" ", "\u00a0", "  ") or (run[-1].is_initial and gap in (".", ". "))
        if not fits or word.role.nobody or len(run) == _MOST_WORDS:
            break
        run.append(word)
    while len(run) > 1 and (run[-1].text in PARTICLE or run[-1].text == "I"):
        run.pop()
    return run


def _name_from(run: list[Word]) -> list[Word]:
    """The beginning of a run that reads like a name: what follows must be able to be a surname."""
    name = run[:1]
    for word in run[1:]:
        kind = word.role
        fits = word.is_initial or word.text in PARTICLE or kind.last or kind.first or kind.unknown
        if not fits:
            break
        name.append(word)
    while len(name) > 1 and (name[-1].is_initial or name[-1].text in PARTICLE):
        name.pop()
    return name


def name_at(capital: Sequence[Word], place: int, text: str) -> list[Word]:
    """The words from a place on that read like one name."""
    return _name_from(_run(capital, place, text))
