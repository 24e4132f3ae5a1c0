"""Finding personal data: what the ticket tells first, then forms, then context, then names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from backend.privacy.addresses import find_addresses
from backend.privacy.context import find_announced
from backend.privacy.forms import find_bare_orders, find_formed
from backend.privacy.known import NOTHING_KNOWN, WORD, Known, find_known
from backend.privacy.labels import PLACEHOLDER, Span
from backend.privacy.marked import find_marked
from backend.privacy.people import find_again, find_people, stems_of
from backend.privacy.phones import find_phones


class Recogniser(Protocol):
    """A larger recogniser that an admin may plug in; it is asked last and can only add finds."""

    def __call__(self, text: str) -> Iterable[Span]:
        """The finds in a text, in any order; overlaps are settled by who was asked first."""
        ...


def find(
    text: str,
    known: Known = NOTHING_KNOWN,
    *,
    met: frozenset[str] = frozenset(),
    recogniser: Recogniser | None = None,
) -> list[Span]:
    """Personal data in a text, in order and without overlaps. Placeholders are left alone.

    `met` are stems of names that other texts of the same ticket held.
    """
    words = list(WORD.finditer(text))
    free = _Free(text)
    regions = regions_of(text, known.language)
    free.take(find_known(text, known, words=words))
    free.take(find_marked(text))
    free.take(find_formed(text))
    free.take(find_announced(text, words))
    free.take(find_addresses(text))
    free.take(find_phones(text, regions))
    russian = regions[0] == "RU"
    people = list(find_people(text, words, russian=russian))
    free.take(people)
    free.take(find_again(words, met | stems_of(people, russian=russian)))
    free.take(find_bare_orders(text))
    if recogniser is not None:
        free.take(recogniser(text))
    return list(_joined(sorted(free.taken, key=lambda span: span.start), text))


def _joined(spans: Iterable[Span], text: str) -> Iterator[Span]:
    """Name and surname, found one by one, as one find."""
    before: Span | None = None
    for span in spans:
        if (
            before is not None
            and before.label == span.label == "NAME"
            and text[before.end : span.start] in (" ", "\u00a0")
        ):
            whole = text[before.start : span.end]
            before = Span(before.start, span.end, "NAME", whole, before.why)
            continue
        if before is not None:
            yield before
        before = span
    if before is not None:
        yield before


class _Free:
    """What is still free in a text: placeholders and earlier finds are not."""

    def __init__(self, text: str) -> None:
        self._used = [(match.start(), match.end()) for match in PLACEHOLDER.finditer(text)]
        self.taken: list[Span] = []

    def take(self, spans: Iterable[Span]) -> None:
        """Keeps each span that overlaps with nothing taken before; of one group, longest first."""
        for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
            if all(span.end <= start or end <= span.start for start, end in self._used):
                self._used.append((span.start, span.end))
                self.taken.append(span)


_UKRAINIAN = re.compile("[іїєґ]", re.IGNORECASE)
_CYRILLIC = re.compile("[а-я]", re.IGNORECASE)
_GERMAN = re.compile(r"[äöüß]|\b(?:und|ich|nicht|die|der|bitte|ist|mit)\b", re.IGNORECASE)


def regions_of(text: str, language: str = "") -> tuple[str, ...]:
    """Countries whose telephone numbers the text may hold, likeliest first.

    The language that a help desk noted is believed where the script of the text allows it.
    """
    noted = language[:2].casefold()
    if _CYRILLIC.search(text):
        is_russian = noted == "ru" or (noted != "uk" and not _UKRAINIAN.search(text))
        return ("RU", "UA", "BY", "KZ") if is_russian else ("UA", "RU", "PL")
    if noted == "de" or _GERMAN.search(text):
        return ("DE", "AT", "CH", "US", "GB")
    return ("US", "GB", "UA", "DE", "AU", "IN")
