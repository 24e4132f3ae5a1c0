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
from backend.privacy.people import find_people
from backend.privacy.phones import find_phones


class Recogniser(Protocol):
    """A larger recogniser that an admin may plug in; it is asked last and can only add finds."""

    def __call__(self, text: str) -> Iterable[Span]:
        """The finds in a text, in any order; overlaps are settled by who was asked first."""
        ...


def find(
    text: str, known: Known = NOTHING_KNOWN, *, recogniser: Recogniser | None = None
) -> list[Span]:
    """Personal data in a text, in order and without overlaps. Placeholders are left alone."""
    words = list(WORD.finditer(text))
    free = _Free(text)
    regions = regions_of(text)
    free.take(find_known(text, known, words=words))
    free.take(find_marked(text))
    free.take(find_formed(text))
    free.take(find_announced(text, words))
    free.take(find_addresses(text))
    free.take(find_phones(text, regions))
    free.take(find_people(text, words, russian=regions[0] == "RU"))
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


def regions_of(text: str) -> tuple[str, ...]:
    """Countries whose telephone numbers the text may hold, likeliest first."""
    if _CYRILLIC.search(text):
        return ("UA", "RU", "PL") if _UKRAINIAN.search(text) else ("RU", "UA", "BY", "KZ")
    if _GERMAN.search(text):
        return ("DE", "AT", "CH", "US", "GB")
    return ("US", "GB", "UA", "DE", "AU", "IN")
