"""What a word can be: part of a name, an ordinary word, nobody; and one key for its spellings."""

from __future__ import annotations

import importlib
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Protocol

from backend.system.languages import either, patterns, phrases, read_languages, spellings, together

_DICTIONARIES = ("uk", "ru")  # languages that pymorphy3 has a dictionary of
_FIRST, _LAST, _WORD, _NOBODY, _WIDESPREAD = 1, 2, 4, 8, 16
_LISTS_LOCK, _ANALYSER_LOCK = threading.Lock(), threading.Lock()
_CAMEL = re.compile(r"(?:(?<=[a-z])|(?<=[A-Z][A-Z]))[A-Z][a-z]|[a-z][A-Z]")
_NAME_PREFIX = re.compile(r"(?:Mc|Mac|O['’]|D['’]|De|Di|La|Le|Van|Fitz)(?=[A-Z])")
_LIKELY = 0.02
_LATIN_OF = {
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


@dataclass(frozen=True)
class PrivacyWords:
    """The keys of `languages/*.toml`: words that announce personal data, or that are none.

    Cues for a name may have up to three words; with a colon at the end they count only before one.
    """

    greetings: tuple[str, ...] = phrases()
    """How one begins, perhaps with a name after it: `dear`. Intake reads them too."""
    closings: tuple[str, ...] = phrases()
    """The last words of a closing, before a signature: `regards`."""
    closings_before_small_names: tuple[str, ...] = phrases()
    """Further words of a closing, after which a name in small letters may be the signature."""
    self_introductions: tuple[str, ...] = phrases()
    """What may stand before the writer's name, or before anything else: `i am`."""
    kinship: tuple[str, ...] = phrases()
    """Relatives and colleagues, before their names: `my wife`."""
    titles: tuple[str, ...] = phrases()
    """What only stands before a name: `mrs`."""
    name_announcements: tuple[str, ...] = phrases()
    """What only a name follows: `my name is`, `from:`."""
    small_name_announcements: tuple[str, ...] = phrases()
    """After these even a word in small letters is a name, if a list has it."""
    order_id: tuple[str, ...] = phrases()
    """Words that an order, invoice or parcel number follows. Each label has such a key; with
    `_numbered` a mark or a word for `number` must stand between the word and the value."""
    customer_id: tuple[str, ...] = phrases()
    customer_id_numbered: tuple[str, ...] = phrases()
    tax_id: tuple[str, ...] = phrases()
    tax_id_numbered: tuple[str, ...] = phrases()
    passport: tuple[str, ...] = phrases()
    passport_numbered: tuple[str, ...] = phrases()
    date_of_birth: tuple[str, ...] = phrases()
    username: tuple[str, ...] = phrases()
    username_numbered: tuple[str, ...] = phrases()
    secret: tuple[str, ...] = phrases()
    secret_numbered: tuple[str, ...] = phrases()
    password_states: tuple[str, ...] = phrases()
    """What may stand after `password:` and is none: `wrong`."""
    never_people: tuple[str, ...] = phrases()
    """Words that a list has as names and that are never one in a ticket: `monday`."""
    perhaps_people: tuple[str, ...] = phrases()
    """Names that are places or words just as often: one of them alone proves nothing."""
    ordinary_words: tuple[str, ...] = phrases()
    """Ordinary words that a list has as names too."""
    company_words: tuple[str, ...] = phrases()
    """What ends the name of a company or a street: `ltd`."""
    samples: tuple[str, ...] = spellings()
    """Sentences with a name or a number, read once when a process starts."""
    regions: tuple[str, ...] = spellings()
    """Countries whose telephone numbers a text of this language may hold, likeliest first."""
    own_letters: tuple[str, ...] = patterns()
    """Letters that tell this language from the others of its script."""
    common_words: tuple[str, ...] = patterns()
    """Common words that tell it, too."""
    dictionary_letters: tuple[str, ...] = patterns()
    """Letters by which a word belongs into this language's dictionary and no other."""
    surname_endings: tuple[str, ...] = patterns()
    """Endings that most surnames have that no dictionary lists."""
    links: tuple[str, ...] = patterns()
    """Words that may stand between an announcement and its value."""
    numbering: tuple[str, ...] = patterns()
    """What tells that a number follows."""
    says: tuple[str, ...] = patterns()
    """`is` and `was`: what tells that the value follows."""
    as_words: tuple[str, ...] = patterns()
    """`as`, between `log in` and the login."""
    log_in_verbs: tuple[str, ...] = patterns()
    """`log in`, before `as` and the login."""
    code_purposes: tuple[str, ...] = patterns()
    """What a code is for, between `code` and its digits; beginnings of words."""
    signing_in: tuple[str, ...] = patterns()
    """What tells that a text is about signing in, so that its codes are secret."""
    day_endings: tuple[str, ...] = patterns()
    """What follows the day of a date: `th`."""
    units: tuple[str, ...] = patterns()
    """After these a number is an amount."""
    public_numbers: tuple[str, ...] = patterns()
    """Before `code` and the like: what is no secret, such as `error code`."""
    other_numbers: tuple[str, ...] = patterns()
    """Before a long number: what it is if no order."""
    never_orders: tuple[str, ...] = patterns()
    """Before a number with a hash: what it is if no order."""
    version_words: tuple[str, ...] = patterns()
    """Before four numbers with dots: `version`, so that they are no network address."""
    version_links: tuple[str, ...] = patterns()
    """What may stand between such a word and the numbers."""
    order_prefixes: tuple[str, ...] = spellings()
    """Letters with which order numbers begin."""
    order_topics: tuple[str, ...] = patterns()
    """What tells that a text is about an order, so that its long numbers are order numbers."""
    at_words: tuple[str, ...] = patterns()
    """`at`, in a mail address that is spelt out."""
    dot_words: tuple[str, ...] = patterns()
    """`dot`, in a mail address that is spelt out."""
    card_words: tuple[str, ...] = patterns()
    """Before a number: words for a bank card."""
    phone_words: tuple[str, ...] = patterns()
    """Before a number: words for a telephone or a call."""
    phone_extensions: tuple[str, ...] = patterns()
    """Between a telephone number and its extension."""
    deeds: tuple[str, ...] = patterns()
    """What people do, after their name: `ordered`."""
    mailbox_roles: tuple[str, ...] = phrases()
    """Mailboxes that are no person's: `info`."""
    joining_words: tuple[str, ...] = phrases()
    """Words in the name of a contact that are no names: `and`."""
    streets_after_name: tuple[str, ...] = spellings()
    """`Street`, as in `12 Baker Street`."""
    directions: tuple[str, ...] = spellings()
    """`North`, before such a street's name."""
    flats: tuple[str, ...] = spellings()
    """`Flat`, before its number."""
    street_endings: tuple[str, ...] = spellings()
    """`allee`, as in `Kastanienallee 12`."""
    streets_after_adjective: tuple[str, ...] = spellings()
    """`Straße`, as in `Lange Straße 7`."""
    streets_before_names: tuple[str, ...] = spellings()
    """`Unter den`, as in `Unter den Linden 5`."""
    town_additions: tuple[str, ...] = spellings()
    """`am`, as in `Frankfurt am Main`."""
    address_labels: tuple[str, ...] = spellings()
    """What stands before an address and is no part of it."""
    streets_before_name: tuple[str, ...] = spellings()
    """`Via`, as in `Via Giuseppe Verdi 18, 20121 Milano`."""
    street_particles: tuple[str, ...] = spellings()
    """Small words in such a street's name: `de`."""
    house_additions: tuple[str, ...] = spellings()
    """What may follow the number before such a street: `bis`."""
    house_flats: tuple[str, ...] = spellings()
    """`m.`, before the flat behind the number of such a house."""
    postcodes: tuple[str, ...] = spellings()
    """The form of a postcode before the town of such a street."""
    streets_with_house: tuple[str, ...] = patterns()
    """`вул.`, as in `м. Київ, вул. Хрещатик, буд. 22, кв. 5`."""
    street_number_endings: tuple[str, ...] = patterns()
    """What follows the number of such a street: `8-го Березня`."""
    towns: tuple[str, ...] = patterns()
    """`м.`, before the town of such an address."""
    districts: tuple[str, ...] = patterns()
    """`обл.`, after the district of such an address."""
    houses: tuple[str, ...] = patterns()
    """`буд.`, before the number of such a house."""
    house_parts: tuple[str, ...] = patterns()
    """`кв.`, before the number of a flat of such a house."""
    post_boxes: tuple[str, ...] = spellings()
    """`P.O. Box`, before its number."""
    address_announcements: tuple[str, ...] = patterns()
    """What an address of any form follows: `ship to`."""


@cache
def privacy_languages() -> Mapping[str, PrivacyWords]:
    """The words of each language by its code, read once."""
    return read_languages("backend.privacy", PrivacyWords)


@cache
def privacy_words() -> PrivacyWords:
    """The words of all languages together."""
    return together(privacy_languages().values(), PrivacyWords)


def is_cyrillic(word: str) -> bool:
    """Whether a word begins with a letter that comes after the Latin and Greek ones."""
    return word[0] >= "\u0400"


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
    for line in _lines("names.txt"):
        name, _, letters = line.partition(" ")
        kinds[name] = (
            _FIRST * ("f" in letters) | _LAST * ("l" in letters) | _WIDESPREAD * ("*" in letters)
        )
    words = privacy_words()
    for listed, kind in (
        (_lines("english.txt"), _WORD),
        (_lines("german.txt"), _WORD),
        (words.ordinary_words, _WORD),
        (words.perhaps_people, _WORD),
        (words.never_people, _NOBODY),
        (_single(words.greetings), _NOBODY),
        (_lines("not_people.txt"), _NOBODY),
    ):
        for line in listed:
            for word in line.casefold().split():
                kinds[word] = kinds.get(word, 0) | kind
    return Gazetteer(kinds)


def _single(greetings: Iterable[str]) -> Iterator[str]:
    """Those of one whole word: they begin with a capital where a name could stand."""
    return (phrase for phrase in greetings if phrase.isalpha())


def _lines(file: str) -> Iterator[str]:
    """The lines of a list in `words/`, without its notes; `scripts/collect_names.py` wrote most."""
    text = resources.files("backend.privacy").joinpath("words", file).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if not line.startswith("#"))


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
    if is_cyrillic(plain):
        return _cyrillic(plain.replace("’", "'").replace("ʼ", "'"), russian=russian)
    if _CAMEL.search(_NAME_PREFIX.sub("", word)):
        return Role(nobody=True)
    parts = [part for part in plain.split("-") if part]
    known = [_latin(part) for part in (plain, *(parts if len(parts) > 1 else ()))]
    if known[0].unknown and len(known) > 1:
        return Role(
            first=all(part.first for part in known[1:]), word=any(part.word for part in known[1:])
        )
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
    languages = ("ru", "uk") if russian else ("uk", "ru")
    only = [code for code in _DICTIONARIES if _dictionary_letters(code).search(plain)]
    for language in only[:1] or languages:
        morphology = _morphology(language)
        if morphology.word_is_known(plain):
            return _by_morphology(morphology, plain)
    return Role(last=_surname().search(plain) is not None)


@lru_cache(maxsize=1)
def _surname() -> re.Pattern[str]:
    return re.compile(rf"{either(privacy_words().surname_endings)}\Z")


@lru_cache(maxsize=8)
def _dictionary_letters(language: str) -> re.Pattern[str]:
    return re.compile(either(privacy_languages()[language].dictionary_letters))


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


class _Morphology(Protocol):
    """What is used of pymorphy3's analyser."""

    def word_is_known(self, word: str) -> bool:
        """Whether the dictionary has it."""
        ...

    def parse(self, word: str) -> list[Any]:
        """What the word can be, likeliest first."""
        ...


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
    for language in _DICTIONARIES:
        _morphology(language)


def nominative(word: str, language: str) -> str:
    """The dictionary form of an inflected Cyrillic name, lower case; itself if it is none."""
    for parse in _morphology(language).parse(word):
        if any(kind in str(parse.tag) for kind in ("Name", "Surn", "Patr")):
            form = parse.inflect({"nomn"})
            return str(form.word if form else parse.normal_form)
    return word.casefold()


# The key is coarse on purpose. It is only ever compared with names that a ticket is known to hold,
# where `Коваленку`, `Kovalenko` and `Kowalenko` are most likely the same person.
@lru_cache(maxsize=20_000)
def key(word: str) -> str:
    """How a word sounds, roughly, in a few Latin letters; "" for a word without letters."""
    plain = unicodedata.normalize("NFKC", word).casefold()
    if any(letter in _LATIN_OF for letter in plain):
        sounds = "".join(_LATIN_OF.get(letter, "") for letter in plain)
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
