"""Names and ordinary words in Latin letters, loaded when the first text needs them.

The lists lie in `words/`; `scripts/collect_names.py` writes them and each says where it is from.

What part of a name a word can be, in Latin letters by lists and in Cyrillic by morphology.

One key for a name's spellings: Cyrillic or Latin, inflected or not, with accents or without.

The key is coarse on purpose. It is only ever compared with names that a ticket is known to hold,
where `Коваленку`, `Kovalenko` and `Kowalenko` are most likely the same person.
"""

from __future__ import annotations

import importlib
import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Protocol

_FIRST, _LAST, _WORD, _NOBODY, _WIDESPREAD = 1, 2, 4, 8, 16
_LISTS_LOCK = threading.Lock()


@dataclass(frozen=True)
class Gazetteer:
    """What is known of a word. Words are asked for in lower case."""

    kinds: dict[str, int]

    def is_first(self, word: str) -> bool:
        """Whether somebody is called so, by first name."""
        return self.kinds.get(word, 0) & (_FIRST | _NOBODY) == _FIRST

    def is_widespread(self, word: str) -> bool:
        """Whether it is a first name in many countries' lists."""
        return self.kinds.get(word, 0) & _WIDESPREAD > 0

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
    with _LISTS_LOCK:
        return _load_lists()


@lru_cache(maxsize=1)
def _load_lists() -> Gazetteer:
    kinds: dict[str, int] = {}
    for line in lines("names.txt"):
        name, _, letters = line.partition(" ")
        kinds[name] = (
            _FIRST * ("f" in letters) | _LAST * ("l" in letters) | _WIDESPREAD * ("*" in letters)
        )
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


_ANALYSER_LOCK = threading.Lock()
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
    """What a word can be: part of a name, an ordinary word, something that is never a person.

    A widespread first name is one in so many lists that it is likely one where it could be a word.
    """

    first: bool = False
    last: bool = False
    word: bool = False
    nobody: bool = False
    widespread: bool = False

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
            widespread=lists.is_widespread(form),
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
    return Role(first=first, last=last, word=word, widespread=first)


def _morphology(language: str) -> _Morphology:
    with _ANALYSER_LOCK:
        return _load_analyser(language)


@lru_cache(maxsize=2)
def _load_analyser(language: str) -> _Morphology:
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


_CYRILLIC = {
    **dict(zip("абвгґдезийіїклмнопрстуфхцыэ", "abvggdeziiiiklmnoprstufgcie", strict=True)),
    **{"є": "e", "ё": "e", "ж": "z", "ч": "c", "ш": "s", "щ": "s", "ю": "u", "я": "a"},
    **{"ь": "", "ъ": "", "'": "", "’": "", "ʼ": "", "ў": "v"},
}
_LATIN_SOUNDS = (
    (re.compile("shch|sch|sh|sz"), "s"),
    (re.compile("tsch|tch|ch|cz|ts|tz"), "c"),
    (re.compile("zh"), "z"),
    (re.compile("kh|h"), "g"),
    (re.compile("ph"), "f"),
    (re.compile("ck|q"), "k"),
    (re.compile("[yij]+(?=[aeou])"), ""),
    (re.compile("[yj]"), "i"),
    (re.compile("w"), "v"),
    (re.compile("x"), "ks"),
)
_TWICE = re.compile(r"(.)\1+")
_SILENT = re.compile("i+(?=[aeou])")
_ENDING = re.compile("(?:ogo|omu|ovi|evi|imi|ami|iga|om|em|im|ix|iv)?[aeiou]*\\Z")
_SOFTENED = {"z": "g", "c": "k"}
"""What a last consonant was before a case ending: `Ользі` is Ольга."""

_SHORTEST_STEM = 2


@lru_cache(maxsize=20_000)
def key(word: str) -> str:
    """How a word sounds, roughly, in a few Latin letters; "" for a word without letters."""
    plain = unicodedata.normalize("NFKC", word).casefold()
    if any(letter in _CYRILLIC for letter in plain):
        sounds = "".join(_CYRILLIC.get(letter, "") for letter in plain)
    else:
        spelt = plain.replace("ß", "ss").replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
        bare = unicodedata.normalize("NFKD", spelt.replace("ł", "l").replace("ø", "o"))
        sounds = "".join(letter for letter in bare if "a" <= letter <= "z")
        for pattern, sound in _LATIN_SOUNDS:
            sounds = pattern.sub(sound, sounds)
    return _TWICE.sub(r"\1", _SILENT.sub("", sounds.replace("h", "g")))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The key without a case ending, or the whole key of a very short word."""
    whole = key(word)
    cut = _ENDING.sub("", whole)
    if len(cut) < _SHORTEST_STEM:
        return whole
    return cut[:-1] + _SOFTENED.get(cut[-1], cut[-1])
