"""The map of one ticket: its personal data to placeholders, and back.

Two finds have one placeholder where they are one: the same number grouped otherwise, the same
person inflected or by a part of the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from backend.privacy import PLACEHOLDER, Label, Span, placeholders_in
from backend.privacy.detect import Recogniser, find
from backend.privacy.detect.known import NOTHING_KNOWN, WORD, Known
from backend.privacy.detect.names import stems_of
from backend.privacy.lexicon import stem

_SEPARATORS = re.compile(r"[\s().\-–/]")
_GROUPED: frozenset[Label] = frozenset({"PHONE", "CARD", "IBAN", "TAX_ID", "PASSPORT"})
_AS_IT_IS: frozenset[Label] = frozenset({"SECRET", "USERNAME"})
_MOST_PASSES = 20
"""More are needed only where more values than that are glued to each other, as nobody writes."""


def redact(text: str) -> str:
    """The text with placeholders, on its own: nothing is known of the people in it."""
    return Placeholders().redact(text)


class Placeholders:
    """Redacts the texts of one ticket with one numbering, and restores what a model wrote.

    It lives in the memory of the process that needs it and nowhere else: it cannot be pickled and
    does not show its values. One ticket, one map; it is not shared between threads.
    """

    def __init__(
        self, known: Known = NOTHING_KNOWN, *, recogniser: Recogniser | None = None
    ) -> None:
        self._known = known
        self._recogniser = recogniser
        self._values: dict[str, str] = {}
        self._numbers: dict[tuple[Label, str], int] = {}
        self._people = People()
        self._last: dict[Label, int] = {}
        self._met: frozenset[str] = frozenset()
        self._taken: set[str] = set()
        self._as_written: dict[str, str] = {}
        for name in known.names:
            self._people.add(name)

    def redact(self, text: str) -> str:
        """The text with each find replaced by its placeholder; the same value has the same one.

        Placeholders that already stand in the text stay. What is found once is sought everywhere,
        so the text is searched until nothing new turns up: redacting again changes nothing.
        """
        self._taken.update(placeholders_in(text))
        redacted = text
        for _ in range(_MOST_PASSES):
            spans = self._find(redacted)
            if not spans:
                break
            redacted = self._replaced(redacted, spans)
        if self._put_back(redacted) != text:
            self._as_written[redacted] = text
        else:
            self._as_written.pop(redacted, None)
        return redacted

    def restore(self, text: str) -> str:
        """The text with the value of each placeholder of this ticket.

        A person whose name stood there in several forms comes back in the form that the ticket's
        record has, or that came first; a text that `redact` returned comes back to the letter.
        """
        return self._as_written.get(text) or self._put_back(text)

    def unresolved(self, text: str) -> tuple[str, ...]:
        """Placeholders in a text that this map has no value for, in order, each once."""
        return tuple(name for name in placeholders_in(text) if name not in self._values)

    def values(self) -> dict[str, str]:
        """Each placeholder with its value, for a map that a person asked for; keep it private."""
        return dict(self._values)

    def __repr__(self) -> str:
        return f"<Placeholders with {len(self._values)} values>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A map of personal data stays in its process: it cannot be pickled.")

    def _find(self, text: str) -> list[Span]:
        spans = find(text, self._known, met=self._met, recogniser=self._recogniser)
        names = (span for span in spans if span.label == "NAME")
        self._met |= stems_of(names, russian=self._known.language == "ru")
        return spans

    def _replaced(self, text: str, spans: list[Span]) -> str:
        parts, end = [], 0
        for span in spans:
            parts += [text[end : span.start], self._placeholder(span)]
            end = span.end
        return "".join(parts) + text[end:]

    def _placeholder(self, span: Span) -> str:
        if span.label == "NAME":
            return self._name(span.value)
        value = _canonical(span.label, span.value)
        number = self._numbers.get((span.label, value))
        if number is None:
            number = self._numbers[span.label, value] = self._next(span.label)
            self._values[_written(span.label, number)] = span.value
        return _written(span.label, number)

    def _name(self, value: str) -> str:
        person = self._people.called(value)
        if person.number is None:
            person.number = self._next("NAME")
            self._values[_written("NAME", person.number)] = person.name
        return _written("NAME", person.number)

    def _next(self, label: Label) -> int:
        number = self._last.get(label, 0) + 1
        while _written(label, number) in self._taken:
            number += 1
        self._last[label] = number
        return number

    def _put_back(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda match: self._values.get(match.group(), match.group()), text)


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


def _canonical(label: Label, value: str) -> str:
    """What two spellings of one value have in common."""
    if label in _GROUPED:
        return _SEPARATORS.sub("", value).upper()
    return value if label in _AS_IT_IS else " ".join(value.casefold().split())


def _same(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether all words of the shorter name are forms of words of the longer one.

    An initial stands for a word that begins with it, next to a surname that is the same.
    """
    shorter, longer = sorted((first, second), key=len)
    initials = {word for word in shorter if len(word) == 1}
    whole = shorter - initials
    return bool(whole) and whole <= longer and initials <= {word[0] for word in longer}


def _stems(name: str) -> frozenset[str]:
    words = (word.removesuffix("'s").removesuffix("’s") for word in WORD.findall(name))
    return frozenset(stem(word) or word.casefold() for word in words)


def _written(label: Label, number: int) -> str:
    return f"[{label}_{number}]"
