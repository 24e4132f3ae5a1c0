"""People's names: by the words around them, and by what the words themselves can be.

Capitalised words that stand together may be one name. Expressions such as `my name is`, `Mr`, a
greeting or `From:` announce one; a strong cue makes a name of nearly every capitalised word.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from backend.privacy import Span
from backend.privacy.detect.known import WORD, stands_for
from backend.privacy.lexicon import Role, gazetteer, is_cyrillic, privacy_words, role, stem
from backend.system.languages import either, phrase_patterns

_WORDS = privacy_words()
_JOINS = re.compile(r"[:\s,.!?–—\-\"«„“(]{1,4}")
_SENTENCE = re.compile(r"[^\s\w,;«»„“'’)(-]|\n|\A\Z")
_ENDS = re.compile(r"\s*(?:[,.!?:;)|<\n(\[]|\Z)")
_FOLLOWING = re.compile(r",?\s([A-Z][A-Za-z]+\.?)(?!\w)")
_ACTS = re.compile(rf"\s{either(_WORDS.deeds)}\b")
_ANNOUNCES_SMALL = re.compile(
    rf"\b{either(phrase_patterns(_WORDS.small_name_announcements))}\Z", re.IGNORECASE
)
_CLOSES = frozenset(
    word.casefold() for word in (*_WORDS.closings, *_WORDS.closings_before_small_names)
)
_BEFORE_SMALL = _CLOSES | {
    phrase.split()[-1].casefold() for phrase in _WORDS.small_name_announcements
}
_COMPANIES = frozenset(_WORDS.company_words)
_END_OF_LINE = re.compile(r"[.!]?\s*(?:\n|\Z)")
_BEFORE_NUMBER = re.compile(r"\.?\s\d")
_LAST_LINE = re.compile(r"[ .!]*(?:\Z|\n\s*(?:\Z|[\w.+-]+@|\[|[+(\d]))")
PARTICLE = frozenset(
    {"van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "el"}
    | {"al", "bin", "ben", "ibn", "ter", "ten", "zu", "st"}
)
_MOST_WORDS = 4
_CONTRACTION = re.compile(
    r"(?:I|We|You|They|He|She|It|That|There|Who|What|Let)['’](?:m|ve|d|ll|re|s)|\w+n['’]t"
)
_PART_OF_PATH = re.compile(r"[\w@/\\_#.=&%$-]\Z")
_GOES_ON_AS_PATH = re.compile(r"[\w@/\\_=&%]|\.\w|:/|-\d")
_REACH_BACK = 24
_SHORTEST_BEGINNING = 3


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


@dataclass(frozen=True)
class Cue:
    """An expression; after a strong one nearly every capitalised word is a name."""

    words: str
    strong: bool
    needs_colon: bool


def find_people(text: str, words: Sequence[re.Match[str]], *, russian: bool) -> Iterator[Span]:
    """Names of people that nothing but the text tells of."""
    capital = _capitalised(text, words, russian=russian)
    place = 0
    while place < len(capital):
        word, name, why = capital[place], list[Word](), "a person's name"
        if not (word.role.nobody or word.text in PARTICLE):
            cue = _cue_before(word, text, words)
            if cue:
                why = f"after `{cue.words}`"
                after = _after_strong if cue.strong else _after_weak
                name = after(_name_at(capital, place, text), cue, text)
            name = name or _alone(capital, place, text)
        if name and not _belongs_to_company(name, text):
            start, end = name[0].start, name[-1].end
            yield Span(start, end, "NAME", text[start:end], why)
        place += max(1, len(name))


def find_small(words: Sequence[re.Match[str]], text: str, *, russian: bool) -> Iterator[Span]:
    """Names in small letters where only a name can stand: after `my name is`, or signing off."""
    for before, word in itertools.pairwise(words):
        said, name = before.group().casefold(), word.group()
        if said not in _BEFORE_SMALL or not name[0].islower() or len(name) < 3:
            continue
        if word.start() - before.end() > 3:
            continue
        signs_off = said in _CLOSES and _END_OF_LINE.match(text, word.end())
        if not (signs_off or _announces_small(before, text)):
            continue
        kind = role(name.capitalize(), russian=russian)
        if kind.sure or kind.widespread:
            yield Span(*word.span(), "NAME", name, f"after `{before.group()}`")


def find_again(words: Sequence[re.Match[str]], met: frozenset[str]) -> Iterator[Span]:
    """Other mentions of people whose names were met, inflected or not."""
    if met:
        for match in words:
            word = match.group()
            ordinary = gazetteer().is_word(word.casefold())  # `Any` is no form of Ana
            if word[0].isupper() and not ordinary and stands_for(word, met):
                yield Span(*match.span(), "NAME", word, "the name was met before")


def stems_of(names: Iterable[Span], *, russian: bool) -> frozenset[str]:
    """Stems of those words of names that mean nothing else."""
    words = {word for name in names for word in WORD.findall(name.value) if len(word) > 2}
    telling = (word for word in words if not role(word, russian=russian).word)
    return frozenset(filter(None, map(stem, telling)))


def _capitalised(text: str, words: Sequence[re.Match[str]], *, russian: bool) -> list[Word]:
    """The words that can be part of a name, each with what stands before it."""
    found = []
    end = 0
    for place, match in enumerate(words):
        word = match.group()
        gap, end = text[end : match.start()], match.end()
        particle = word in PARTICLE
        if not (word[0].isupper() or particle) or (word == "I" and text[end : end + 1] != "."):
            continue
        if _CONTRACTION.fullmatch(word):
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


def _cue_before(word: Word, text: str, words: Sequence[re.Match[str]]) -> Cue | None:
    """What the one to three words before announce, if nothing but a mark stands between."""
    before = words[max(0, word.place - 3) : word.place]
    if not before or not _JOINS.fullmatch(text, before[-1].end(), word.start):
        return None
    marked = ":" in text[before[-1].end() : word.start]
    said = [match.group().casefold().replace("’", "'") for match in before]
    for count in range(len(said), 0, -1):
        cue = _cue_for(" ".join(said[-count:]))
        if cue and (marked or not cue.needs_colon):
            return cue
    return None


@lru_cache(maxsize=20_000)
def _cue_for(words: str) -> Cue | None:
    """The cue that these lower-case words are, if they are one."""
    cues = _cues()
    if words in cues or " " in words:
        return cues.get(words)
    for end in range(len(words), _SHORTEST_BEGINNING - 1, -1):
        if words[:end] + "*" in cues:
            return cues[words[:end] + "*"]
    return None


@lru_cache(maxsize=1)
def _cues() -> dict[str, Cue]:
    weak = (_WORDS.greetings, _WORDS.closings, _WORDS.self_introductions, _WORDS.kinship)
    strong = (_WORDS.titles, _WORDS.name_announcements)
    cues: dict[str, Cue] = {}
    for lists, is_strong in ((weak, False), (strong, True)):
        for phrase in itertools.chain(*lists):
            words = phrase.removesuffix(":").casefold()
            cues[words] = Cue(words, is_strong, phrase.endswith(":"))
    return cues


def _after_strong(name: list[Word], cue: Cue, text: str) -> list[Word]:
    """After `my name is` and the like nearly every capitalised word is a name."""
    word = name[0]
    kind = word.role
    titled = kind.last and not cue.needs_colon
    if kind.word and not (kind.widespread or titled) and len(name) < 2:
        return []
    if cue.needs_colon and kind.unknown and len(name) < 2 and not _ENDS.match(text, name[-1].end):
        return []  # `to: Spam - Message Filters`
    return name if not word.is_initial or len(name) > 1 else []


def _after_weak(name: list[Word], cue: Cue, text: str) -> list[Word]:
    """After a greeting or `this is` a first name will do; anything else must stand alone there."""
    word = name[0]
    alone = _ENDS.match(text, name[-1].end) is not None
    sure = word.role.sure or word.role.widespread
    if word.role.first and (
        (alone and sure) or word.role.sure or (len(name) > 1 and _is_full_name(name))
    ):
        return name
    if alone and (word.role.last or word.role.unknown) and not word.role.word:
        return name if len(word.text) > 2 else []
    return name if alone and len(name) > 1 and word.is_initial else []


def _alone(capital: Sequence[Word], place: int, text: str) -> list[Word]:
    """A name that only its own words give away."""
    word, name = capital[place], _name_at(capital, place, text)
    if word.is_initial:
        return name if _initial_and_surname(name, text) else []
    if len(name) > 1:
        rather_word = word.role.word and not (word.role.widespread or word.role.last)
        if not _is_full_name(name) or (rather_word and _alone(capital, place + 1, text)):
            return []  # what follows is looked at next
        return name
    return name if _is_single_name(word, capital, place, text) else []


def _is_full_name(name: Sequence[Word]) -> bool:
    """Two words or more: a first name with a surname or an initial, in either order."""
    first, rest = name[0].role, [word.role for word in name[1:] if not word.is_initial]
    if first.sure:
        return True
    if all(word.text.isupper() for word in name):
        return any(kind.sure for kind in rest)
    if first.first and not first.widespread and rest and all(kind.word for kind in rest):
        return False
    if first.first:
        return not rest or any(kind.last or (kind.unknown and first.widespread) for kind in rest)
    if any(kind.first and not kind.word for kind in rest):
        return first.last or first.unknown
    return (first.last or (first.unknown and len(name[0].text) > 2)) and any(
        (kind.last or kind.first) and (first.last or not kind.word) for kind in rest
    )


def _is_single_name(word: Word, capital: Sequence[Word], place: int, text: str) -> bool:
    """One word: a name that is nothing else, or one that stands where only a name can."""
    kind = word.role
    if word.text.isupper() or len(word.text) < 3:
        return False
    if kind.sure:
        return len(word.text) > 3 or kind.widespread
    if kind.first and _ACTS.match(text, word.end):
        return True
    if kind.widespread and _closes_letter(text, word):
        return True
    if not _inside_sentence(word) or _next_is_capital(capital, place, text):
        return False
    likely = kind.widespread and not (
        _BEFORE_NUMBER.match(text, word.end)
        or text[max(0, word.start - 3) : word.start].rstrip()[-1:].isdigit()
    )
    return likely or (kind.last and not kind.word and is_cyrillic(word.text))


def _closes_letter(text: str, word: Word) -> bool:
    """Alone on its line, with nothing but perhaps a mail or a number after it."""
    return "\n" in word.gap and bool(_LAST_LINE.match(text, word.end))


def _belongs_to_company(name: Sequence[Word], text: str) -> bool:
    following = _FOLLOWING.match(text, name[-1].end)
    named = {word.text.casefold() for word in name[1:]}
    return bool(named & _COMPANIES) or (
        following is not None and following.group(1).casefold() in _COMPANIES
    )


def _initial_and_surname(name: Sequence[Word], text: str) -> bool:
    """`E. Kowalski`, and not `U.S. Robotics` or `Plan B Energy`."""
    if len(name) < 2 or not text.startswith(".", name[0].end) or name[0].gap.endswith("."):
        return False
    surname = name[-1]
    if len(surname.text) < 3 or surname.text.isupper() or surname.role.nobody:
        return False
    return surname.role.last or (surname.role.unknown and surname.text[1:].islower())


def _inside_sentence(word: Word) -> bool:
    return bool(word.gap) and not _SENTENCE.search(word.gap.replace("\u00a0", " "))


def _next_is_capital(capital: Sequence[Word], place: int, text: str) -> bool:
    """Whether it stands in a title or a label such as `Mark All Read`."""
    neighbours = [
        text[capital[place + 1].start - 1 : capital[place + 1].start] == " "
        and capital[place + 1].start - capital[place].end == 1
        if place + 1 < len(capital)
        else False,
        capital[place - 1].end + 1 == capital[place].start if place else False,
    ]
    return any(neighbours)


def _name_at(capital: Sequence[Word], place: int, text: str) -> list[Word]:
    """The words from a place on that read like one name."""
    return _name_from(_run(capital, place, text))


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


def _announces_small(before: re.Match[str], text: str) -> bool:
    return bool(_ANNOUNCES_SMALL.search(text[max(0, before.end() - _REACH_BACK) : before.end()]))
