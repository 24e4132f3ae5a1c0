"""What part of a name a word can be, in Latin letters by lists and in Cyrillic by morphology."""

from __future__ import annotations

import importlib
import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from backend.privacy.gazetteer import gazetteer

_LOCK = threading.Lock()
_CAMEL = re.compile(r"(?:(?<=[a-z])|(?<=[A-Z][A-Z]))[A-Z][a-z]|[a-z][A-Z]")
_NAME_PREFIX = re.compile(r"(?:Mc|Mac|O['’]|D['’]|De|Di|La|Le|Van|Fitz)(?=[A-Z])")
_UKRAINIAN_ONLY = re.compile("[іїєґ'’ʼ]")
_RUSSIAN_ONLY = re.compile("[ыэъё]")
_LIKELY = 0.02


class _Morphology(Protocol):
    """What is used of pymorphy3's analyser."""

    def word_is_known(self, word: str) -> bool:
        """Whether the dictionary has it."""
        ...

    def parse(self, word: str) -> list[Any]:
        """What the word can be, likeliest first."""
        ...


@dataclass(frozen=True)
class Role:
    """What a word can be: part of a name, an ordinary word, something that is never a person."""

    first: bool = False
    last: bool = False
    word: bool = False
    nobody: bool = False

    @property
    def sure(self) -> bool:
        """A first name and nothing else."""
        return self.first and not self.word

    @property
    def unknown(self) -> bool:
        """In no list: after a first name most likely a surname."""
        return not (self.first or self.last or self.word or self.nobody)


@lru_cache(maxsize=50_000)
def role(word: str, *, russian: bool) -> Role:
    """The role of a capitalised word; `russian` says which Slavic language the text is in."""
    plain = word.casefold()
    if plain[0] >= "\u0400":
        return _cyrillic(plain.replace("’", "'").replace("ʼ", "'"), russian=russian)
    if _CAMEL.search(_NAME_PREFIX.sub("", word)):
        return Role(nobody=True)
    parts = [part for part in plain.split("-") if part]
    known = [_latin(part) for part in (plain, *(parts if len(parts) > 1 else ()))]
    if known[0].unknown and len(known) > 1:
        return Role(first=all(one.first for one in known[1:]), word=any(o.word for o in known[1:]))
    return known[0]


def _latin(plain: str) -> Role:
    lists = gazetteer()
    for form in (plain, plain.removesuffix("s")):
        found = Role(
            first=lists.is_first(form),
            last=lists.is_last(form),
            word=lists.is_word(plain),
            nobody=lists.is_nobody(plain),
        )
        if not found.unknown:
            return found
    return Role()


def _cyrillic(plain: str, *, russian: bool) -> Role:
    languages: tuple[str, ...]
    if _UKRAINIAN_ONLY.search(plain):
        languages = ("uk",)
    elif _RUSSIAN_ONLY.search(plain):
        languages = ("ru",)
    else:
        languages = ("ru", "uk") if russian else ("uk", "ru")
    for language in languages:
        morphology = _morphology(language)
        if morphology.word_is_known(plain):
            return _by_morphology(morphology, plain)
    return Role(last=_SURNAME.search(plain) is not None)


_SURNAME = re.compile(
    r"(?:енк(?:о|а|у|ом|ові|ой)|(?:ч|щ|ш)ук(?:а|у|ом|ові)?|юк(?:а|у|ом|ові)?|"
    r"(?:ськ|цьк|ск|цк)(?:ий|ого|ому|им|ою|ая|ой|а|ій)|(?:ов|ев|ёв|ін|їн|ин)(?:а|у|ым|им|ой|ою)?|"
    r"швили|дзе|ян(?:а|у|ом)?|яр(?:а|у|ем)?|(?:ич|іч)(?:а|у|ем|ем)?)\Z"
)
"""Endings that most surnames have that no dictionary lists."""


def _by_morphology(morphology: _Morphology, plain: str) -> Role:
    first = last = word = False
    for parse in morphology.parse(plain):
        tag = str(parse.tag)
        if "Name" in tag or "Patr" in tag:
            first = True
        elif "Surn" in tag:
            last = True
        elif parse.score >= _LIKELY and parse.is_known:
            word = True
    return Role(first=first, last=last, word=word)


def _morphology(language: str) -> _Morphology:
    with _LOCK:
        return _load(language)


@lru_cache(maxsize=2)
def _load(language: str) -> _Morphology:
    """25 MB of dictionary for each language, read where Cyrillic is first met."""
    library: Any = importlib.import_module("pymorphy3")
    analyser: _Morphology = library.MorphAnalyzer(lang=language)
    return analyser


def warm_up() -> None:
    """Loads every list now, so that the first ticket need not wait for it."""
    gazetteer()
    for language in ("ru", "uk"):
        _morphology(language)


def nominative(word: str, language: str) -> str:
    """The dictionary form of an inflected Cyrillic name, lower case; itself if it is none."""
    for parse in _morphology(language).parse(word):
        if any(kind in str(parse.tag) for kind in ("Name", "Surn", "Patr")):
            form = parse.inflect({"nomn"})
            return str(form.word if form else parse.normal_form)
    return word.casefold()
