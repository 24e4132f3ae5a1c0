"""Finding personal data: by forms, by what the ticket tells, by cues, by names, by a recogniser."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Protocol, cast

from backend.domain.errors import BadSettings
from backend.privacy import PLACEHOLDER, Span
from backend.privacy.detect.announced import find_announced
from backend.privacy.detect.forms import (
    find_addresses,
    find_bare_orders,
    find_formed,
    find_keys,
    find_logins,
    find_marked,
    find_phones,
)
from backend.privacy.detect.known import NOTHING_KNOWN, WORD, Known, find_known
from backend.privacy.detect.names import find_again, find_people, find_small, stems_of
from backend.privacy.lexicon import privacy_languages
from backend.system.languages import either

_CYRILLIC = re.compile("[\u0430-\u044f]", re.IGNORECASE)
_LANGUAGES = privacy_languages()
_TELLING = {
    code: re.compile(
        rf"{either(words.own_letters)}|\b{either(words.common_words)}\b", re.IGNORECASE
    )
    for code, words in _LANGUAGES.items()
    if words.own_letters or words.common_words
}
_TOLD_BY_WORDS = tuple(code for code, words in _LANGUAGES.items() if words.common_words)


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
    free.take(find_keys(text))
    free.take(find_marked(text))  # before names: a known name may be a part of a mail address
    free.take(find_known(text, known, words=words))
    free.take(find_announced(text, words))
    free.take(find_formed(text))
    free.take(find_logins(text))
    free.take(find_addresses(text))
    free.take(find_phones(text, regions))
    russian = regions[0] == "RU"
    people = [
        *find_people(text, words, russian=russian),
        *find_small(words, text, russian=russian),
    ]
    free.take(people)
    free.take(find_again(words, met | stems_of(people, russian=russian)))
    free.take(find_bare_orders(text))
    if recogniser is not None:
        free.take(recogniser(text))
    return list(_joined(sorted(free.taken, key=lambda span: span.start), text))


def regions_of(text: str, language: str = "") -> tuple[str, ...]:
    """Countries whose telephone numbers the text may hold, likeliest first.

    The language that a help desk noted is believed where the script of the text allows it.
    """
    return _LANGUAGES[_language(text, language[:2].casefold())].regions


@lru_cache(maxsize=4)
def recogniser_named(name: str) -> Recogniser | None:
    """What `module:function` makes, kept for good; None for no name.

    The function takes nothing and returns a recogniser (see docs/privacy.md). Raises BadSettings
    where it is missing.
    """
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise BadSettings(
            f"privacy.recogniser is {name!r}, which cannot be used: {error}. Write it as "
            "module:function, where the function takes nothing and returns a recogniser."
        ) from error
    return cast(Recogniser, made)


def warm_up() -> None:
    """Reads the lists and dictionaries (a third of a second), so that no agent waits for them."""
    samples = [sample for words in _LANGUAGES.values() for sample in words.samples]
    for sentence in (" ".join(samples), *samples):
        find(sentence)


def _language(text: str, noted: str) -> str:
    if _CYRILLIC.search(text):
        is_russian = noted == "ru" or (noted != "uk" and not _TELLING["uk"].search(text))
        return "ru" if is_russian else "uk"
    told = (code for code in _TOLD_BY_WORDS if code == noted or _TELLING[code].search(text))
    return next(told, "en")


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
        self._used = bytearray(len(text))
        for match in PLACEHOLDER.finditer(text):
            self._use(match.start(), match.end())
        self.taken: list[Span] = []

    def take(self, spans: Iterable[Span]) -> None:
        """Keeps each span that overlaps with nothing taken before; of one group, longest first."""
        for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
            if span.start < span.end and self._used.find(1, span.start, span.end) < 0:
                self._use(span.start, span.end)
                self.taken.append(span)

    def _use(self, start: int, end: int) -> None:
        self._used[start:end] = b"\1" * (end - start)
