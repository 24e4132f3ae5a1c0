"""What a ticket says about the people in it, and where that stands in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from backend.privacy import Label, Span
from backend.privacy.lexicon import gazetteer, key, privacy_words, stem

WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’ʼ](?=[^\W\d_])|-(?=[^\W\d_]))*")
"""A word: letters, with apostrophes and hyphens inside it."""

_SHORTEST_PART = 3
_SHORTEST_LOCAL_PART = 5
_SHORTEST_EXACT = 4
_NO_NAMES = frozenset(
    {"van", "von", "der", "den", "del", "della", "dos", "das", "bin", "ibn", "ter", "zum", "zur"}
    | {*privacy_words().joining_words, *privacy_words().titles}
)
_ROLES = frozenset(privacy_words().mailbox_roles)


@dataclass(frozen=True)
class Known:
    """What the ticket itself tells. Everything may be left out.

    `names` are people (contact, agents); `accounts` are companies, sought as a whole only;
    `ids` are customer numbers; `language` (uk, ru, de, en …) is guessed from the text if empty.
    """

    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    usernames: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    language: str = ""

    @cached_property
    def people(self) -> tuple[tuple[str, ...], ...]:
        """The words of each person's name, those of a mail's local part included."""
        named = [tuple(WORD.findall(name)) for name in self.names]
        mailed = [_words_of_mail(mail) for mail in self.emails]
        return tuple(words for words in (*named, *mailed) if words)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of every word that can stand for one of the people."""
        return frozenset(stem(word) for words in self.people for word in words if _tells(word))

    @cached_property
    def spelt(self) -> frozenset[str]:
        """The words of the people's names as they are written, in small letters."""
        return frozenset(word.casefold() for words in self.people for word in words)

    @cached_property
    def exact(self) -> tuple[tuple[re.Pattern[str], Label], ...]:
        """Patterns for what is sought as it is written, whatever the case."""
        mailboxes = [mail.partition("@")[0] for mail in self.emails]
        local_parts = [
            mailbox
            for mailbox in mailboxes
            if len(mailbox) >= _SHORTEST_LOCAL_PART and mailbox.casefold() not in _ROLES
        ]
        wanted: Mapping[Label, Iterable[str]] = {
            "EMAIL": self.emails,
            "NAME": (*self.names, *self.accounts),
            "ADDRESS": self.addresses,
            "USERNAME": (*self.usernames, *local_parts),
            "CUSTOMER_ID": self.ids,
            "ORDER_ID": self.orders,
        }
        found = [(_as_written(values), label) for label, values in wanted.items()]
        phones = [_digits(phone) for phone in self.phones if len(re.findall(r"\d", phone)) >= 6]
        if phones:
            found.append((re.compile(rf"(?<![\w+])(?:{'|'.join(phones)})(?!\d)"), "PHONE"))
        return tuple((pattern, label) for pattern, label in found if pattern is not None)


NOTHING_KNOWN = Known()


def find_known(text: str, known: Known, *, words: Iterable[re.Match[str]]) -> Iterator[Span]:
    """Finds of what is known: as written in any case, names also inflected or transliterated."""
    for pattern, label in known.exact:
        for match in pattern.finditer(text):
            yield Span(match.start(), match.end(), label, match.group(), "the ticket names it")
    if known.stems:
        for match in words:
            word = match.group()
            if (
                word[0].isupper()
                and stands_for(word, known.stems)
                and _is_meant(match, text, known.spelt)
            ):
                yield Span(match.start(), match.end(), "NAME", word, "the ticket names the person")


def stands_for(word: str, stems: frozenset[str]) -> bool:
    """Whether a word of a text is a form of one of the known names."""
    if len(word) < _SHORTEST_PART:
        return False
    bare = word.removesuffix("'s").removesuffix("’s")
    return stem(bare) in stems or (bare.endswith("s") and stem(bare[:-1]) in stems)


def _is_meant(match: re.Match[str], text: str, spelt: frozenset[str]) -> bool:
    """Whether a word that may stand for a known name is not an ordinary one here.

    `Any` is no form of Ana; Will and Mark begin sentences that are not about them.
    """
    plain = match.group().casefold().removesuffix("'s").removesuffix("’s")
    if not gazetteer().is_word(plain):
        return True
    if plain not in spelt:
        return False
    before, after = text[: match.start()].rstrip(" "), text[match.end() :].lstrip(" ")
    begins = not before or before[-1] in ".!?:…\n"
    return not (begins and after[:1].islower())


def _tells(word: str) -> bool:
    return len(word) >= _SHORTEST_PART and bool(key(word)) and word.casefold() not in _NO_NAMES


def _words_of_mail(mail: str) -> tuple[str, ...]:
    local = mail.partition("@")[0]
    words = re.findall(r"[^\W\d_]{4,}", local)
    return (
        ()
        if local.casefold() in _ROLES
        else tuple(word for word in words if word.casefold() not in _ROLES)
    )


def _as_written(values: Iterable[str]) -> re.Pattern[str] | None:
    spelt = {" ".join(value.split()) for value in values}
    kept = sorted(
        (value for value in spelt if len(value) >= _SHORTEST_EXACT), key=len, reverse=True
    )
    if not kept:
        return None
    either = "|".join(r"\s+".join(map(re.escape, value.split(" "))) for value in kept)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def _digits(phone: str) -> str:
    """The number in any grouping, with or without what stands before its last nine digits."""
    digits = re.findall(r"\d", phone)
    tail = r"[\s().\-–/]{0,2}".join(digits[-9:])
    return rf"(?:\+?[\d\s().\-–]{{0,7}})?{tail}"
