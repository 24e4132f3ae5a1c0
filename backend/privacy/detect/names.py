"""People's names in a text: by the words around them, and by what the words themselves can be.

Capitalised words of a text, and runs of them that may be one name.

Expressions that announce a name: `my name is`, `Mr`, a greeting, `From:` in a quoted mail.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from backend.privacy import Span
from backend.privacy.detect.known import WORD, stands_for
from backend.privacy.lexicon import Role, gazetteer, lines, listed, role, stem

_JOINS = re.compile(r"[:\s,.!?–—\-\"«„“(]{1,4}")
_SENTENCE = re.compile(r"[^\s\w,;«»„“'’)(-]|\n|\A\Z")
_ENDS = re.compile(r"\s*(?:[,.!?:;)|<\n(\[]|\Z)")
_FOLLOWING = re.compile(r",?\s([A-Z][A-Za-z]+\.?)(?!\w)")
_ACTS = re.compile(
    r"\s(?:ordered|said|says|asked|told|wrote|called|lives|helped|works|needs|wants|bought|paid|sent|"
    r"replied|answered|promised|sagte|schrieb|bestellte|hat|сказал\w*|написал\w*|замовил\w*|заказал\w*|"
    r"сказала|попросил\w*|відповіл\w*|відповів|ответил\w*)\b"
)
_INTRODUCES = frozenset({"is", "ist", "heiße", "звати", "зовут"})
_NAME_BEFORE = re.compile(r"\bname \Z", re.IGNORECASE)
_CLOSES = frozenset(
    {"thanks", "thx", "regards", "cheers", "sincerely", "best", "you", "wishes", "advance", "danke"}
    | {
        "grüße",
        "gruß",
        "grüßen",
        "lg",
        "mfg",
        "дякую",
        "спасибо",
        "спасибі",
        "повагою",
        "уважением",
    }
)
_END_OF_LINE = re.compile(r"[.!]?\s*(?:\n|\Z)")
_BEFORE_NUMBER = re.compile(r"\.?\s\d")
_LAST_LINE = re.compile(r"[ .!]*(?:\Z|\n\s*(?:\Z|[\w.+-]+@|\[|[+(\d]))")


def find_people(text: str, words: Sequence[re.Match[str]], *, russian: bool) -> Iterator[Span]:
    """Names of people that nothing but the text tells of."""
    capital = capitalised(text, words, russian=russian)
    place = 0
    while place < len(capital):
        word, name, why = capital[place], list[Word](), "a person's name"
        if not (word.role.nobody or word.text in PARTICLE):
            cue = _cue_before(word, text, words)
            if cue:
                why = f"after `{cue.words}`"
                after = _after_strong if cue.strong else _after_weak
                name = after(name_at(capital, place, text), cue, text)
            name = name or _alone(capital, place, text)
        if name and not _belongs_to_company(name, text):
            start, end = name[0].start, name[-1].end
            yield Span(start, end, "NAME", text[start:end], why)
        place += max(1, len(name))


def find_small(words: Sequence[re.Match[str]], text: str, *, russian: bool) -> Iterator[Span]:
    """Names in small letters where only a name can stand: after `my name is`, or signing off."""
    for before, word in itertools.pairwise(words):
        name, said = word.group(), before.group().casefold()
        if said not in _INTRODUCES and said not in _CLOSES:
            continue
        if not name[0].islower() or len(name) < 3 or word.start() - before.end() > 3:
            continue
        if said in ("is", "ist") and not _NAME_BEFORE.search(
            text[max(0, before.start() - 6) : before.start()]
        ):
            continue
        if said in _CLOSES and not _END_OF_LINE.match(text, word.end()):
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


def _cue_before(word: Word, text: str, words: Sequence[re.Match[str]]) -> Cue | None:
    """What the one to three words before announce, if nothing but a mark stands between."""
    before = words[max(0, word.place - 3) : word.place]
    if not before or not _JOINS.fullmatch(text, before[-1].end(), word.start):
        return None
    marked = ":" in text[before[-1].end() : word.start]
    said = [one.group().casefold().replace("’", "'") for one in before]
    for count in range(len(said), 0, -1):
        cue = cue_for(" ".join(said[-count:]))
        if cue and (marked or not cue.needs_colon):
            return cue
    return None


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
    word, name = capital[place], name_at(capital, place, text)
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
    first, rest = name[0].role, [one.role for one in name[1:] if not one.is_initial]
    if first.sure:
        return True
    if all(word.text.isupper() for word in name):
        return any(one.sure for one in rest)
    if first.first and not first.widespread and rest and all(one.word for one in rest):
        return False
    if first.first:
        return not rest or any(one.last or (one.unknown and first.widespread) for one in rest)
    if any(one.first and not one.word for one in rest):
        return first.last or first.unknown
    return (first.last or (first.unknown and len(name[0].text) > 2)) and any(
        (one.last or one.first) and (first.last or not one.word) for one in rest
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
    return likely or (kind.last and not kind.word and word.text[0] >= "\u0400")


def _closes_letter(text: str, word: Word) -> bool:
    """Alone on its line, with nothing but perhaps a mail or a number after it."""
    return "\n" in word.gap and bool(_LAST_LINE.match(text, word.end))


def _belongs_to_company(name: Sequence[Word], text: str) -> bool:
    following = _FOLLOWING.match(text, name[-1].end)
    named = {word.text.casefold() for word in name[1:]}
    return bool(named & _kinds()) or (
        following is not None and following.group(1).casefold() in _kinds()
    )


@lru_cache(maxsize=1)
def _kinds() -> frozenset[str]:
    return frozenset(listed("kinds.txt"))


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


_SHORTEST_BEGINNING = 3


@dataclass(frozen=True)
class Cue:
    """An expression; after a strong one nearly every capitalised word is a name."""

    words: str
    strong: bool
    needs_colon: bool


@lru_cache(maxsize=20_000)
def cue_for(words: str) -> Cue | None:
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
    cues: dict[str, Cue] = {}
    for file, strong in (("greetings.txt", False), ("before_names.txt", True)):
        for line in lines(file):
            words = line.removesuffix(":")
            cues[words] = Cue(words, strong, line.endswith(":"))
    return cues
