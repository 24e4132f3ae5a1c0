"""Private data that only the words before it give away: order numbers, logins, passwords, births.

Every word of a text is looked up among the cues; what follows a cue must then look like its value.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from backend.privacy import LABELS, Label, Span
from backend.privacy.detect.forms import UNIT
from backend.privacy.lexicon import gazetteer, is_cyrillic, privacy_words
from backend.system.languages import either

_WORDS = privacy_words()
_LONGEST_STEM = 20
_REACH = 60
_LINK = rf"(?:\s?[\"'«„“`(]?(?:{either(_WORDS.links)}|[№#:=–—-])[.:#]?(?=[\s\W]|\d|\Z))"
_BETWEEN = re.compile(rf"(?:{_LINK}|[\s.,:;=#№\"'«„“`(>–—-])*", re.IGNORECASE)
_SAYS = rf"\b{either(_WORDS.says)}\b"
_SAYS_SO = re.compile(_SAYS, re.IGNORECASE)
_NUMBERED = re.compile(rf"{either(_WORDS.numbering)}|№|#|:|=|{_SAYS}|[–—]|\s-\s", re.IGNORECASE)
_DAY = rf"(?:0?[1-9]|[12]\d|3[01])(?:{either(_WORDS.day_endings)}|\.)?"
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[./\-](?:0?[1-9]|[12]\d|3[01])[./\-](?:\d{4}|\d\d)(?!\d)|"
    r"(?:18|19|20)\d\d[./\-](?:0?[1-9]|1[0-2])[./\-](?:0?[1-9]|[12]\d|3[01])(?!\d)|"
    rf"{_DAY}(?:\s(?:of\s)?)[^\W\d_]{{3,12}}\.?,?\s(?:18|19|20)\d\d|"
    rf"[^\W\d_]{{3,9}}\.?\s{_DAY},?\s(?:18|19|20)\d\d",
    re.IGNORECASE,
)
_ID = re.compile(
    r"[#№]?\s?\d{2,5}(?:[ \u00a0]\d{2,5}){1,5}(?!\w|[.,]\d)|"
    r"[#№]?\s?(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d)\w[\w/-]{2,30}(?!\w|[.,]\d)"
)
_TAX = re.compile(r"[A-Z]{0,3}\s?\d(?:[\s./-]?\d|[A-Z]){6,15}(?!\w)")
_PASSPORT = re.compile(
    r"(?:[^\W\d_]{1,3}\s?(?:№|#|N)?\s?)?\d(?:[\s№-]{0,2}\d){4,10}(?!\w)|"
    r"(?=[A-Z0-9]*\d[A-Z0-9]*\d)[A-Z0-9]{6,14}(?!\w)|[A-Z0-9]{2,6}(?:-[A-Z0-9]{2,6}){1,3}(?!\w)",
)
_LOGIN = re.compile(r"@?[\w][\w.+-]{1,40}\w(?![\w@])")
_SECRET = re.compile(r"\d{3}[ -]\d{3}(?![\w-])|(?!/)[^\s,;\"'«»“”„`()<>\[\]]{3,64}")
_VALUES: dict[Label, re.Pattern[str]] = {
    "ORDER_ID": _ID,
    "CUSTOMER_ID": _ID,
    "TAX_ID": _TAX,
    "PASSPORT": _PASSPORT,
    "DATE_OF_BIRTH": _DATE,
    "USERNAME": _LOGIN,
    "SECRET": _SECRET,
}
_SAID = re.compile(rf":|=|{_SAYS}|[–—]|\s-\s|[\"'«„“`]", re.IGNORECASE)
_IN_PATH = re.compile(r"[/@_\\]|[.][^\W\d_]")
_HOST = re.compile(
    r"(?:[\w-]+\.)+(?:com|net|org|info|edu|gov|io|co|de|at|ch|ua|ru|uk|fr|eu|us|ca|au|it|es|pl|nl"
    r"|arpa)(?::\d+)?/?",
    re.IGNORECASE,
)
_MARK = re.compile(r"[#№]\s?\Z")
_COLON = re.compile(r"[:=][\s\"'«„“`(]*\Z")
_NAMED_LOGIN = re.compile(
    rf"\b(?:{either(_WORDS.as_words)}|name)\b|[:=\"'«„“`–—]|{_SAYS}", re.IGNORECASE
)
_PHRASE = re.compile(
    rf"(?:\s[^\W\d_]+){{1,4}}(?:\s?[:=]|\s[–—-]|\s{either(_WORDS.says)}(?=\s?\S*\d))"
    r"\s?[\"'«„“`]?"
)
_SENT_CODE = re.compile(
    rf"(?:\s(?:{either(_WORDS.code_purposes)}\w*)){{0,2}}"
    r"[\s:–—-]{1,3}(?=\d{4,8}(?![\w-]|[.,]\d))",
    re.IGNORECASE,
)
_SIGNING_IN = re.compile(either(_WORDS.signing_in), re.IGNORECASE)
_NOT_PRIVATE = re.compile(rf"{either(_WORDS.public_numbers)}[\s-]{{1,2}}\Z", re.IGNORECASE)
_NUMBERED_KEY = "_numbered"


@dataclass(frozen=True)
class _Cue:
    label: Label
    needs_number: bool


def find_announced(text: str, words: Sequence[re.Match[str]]) -> Iterator[Span]:
    """What stands after a cue and looks like what the cue announces."""

    @cache  # once a text: a log may announce hundreds of codes
    def about_signing_in() -> bool:
        return _SIGNING_IN.search(text) is not None

    for match in words:
        cues = _cues_for(match.group().casefold())
        if cues and not _IN_PATH.match(text, match.end()):
            found = (
                span for cue in cues for span in _value_after(text, match, cue, about_signing_in)
            )
            yield from itertools.islice(found, 1)


def _value_after(
    text: str, word: re.Match[str], cue: _Cue, about_signing_in: Callable[[], bool]
) -> Iterator[Span]:
    if cue.label == "SECRET" and _NOT_PRIVATE.search(
        text[max(0, word.start() - 16) : word.start()]
    ):
        return
    for link in _links(text, word.end(), cue, about_signing_in):
        value = _VALUES[cue.label].match(text, word.end() + len(link))
        if value is None and cue.label == "DATE_OF_BIRTH":
            value = _DATE.search(text, word.end(), word.end() + 30)
        shown = value.group().rstrip(".?:") if value else ""
        if value and shown and _fits(cue, shown, link, text[value.end() : value.end() + 12]):
            start, end = value.start(), value.start() + len(shown)
            if cue.label in ("ORDER_ID", "CUSTOMER_ID"):
                mark = _MARK.search(link)
                start = word.start() if link == "-" else start - len(mark.group() if mark else "")
            yield Span(start, end, cue.label, text[start:end], f"after `{word.group()}`")
            return


def _links(text: str, end: int, cue: _Cue, about_signing_in: Callable[[], bool]) -> Iterator[str]:
    """What may stand between a cue and its value, the nearest value first."""
    between = _BETWEEN.match(text, end, end + _REACH)
    link = between.group() if between else ""
    if not cue.needs_number or _NUMBERED.search(link):
        yield link
    if cue.label == "SECRET":
        phrase = _PHRASE.match(text, end, end + _REACH)
        if phrase:
            yield phrase.group()
        sent = _SENT_CODE.match(text, end, end + _REACH)
        if sent and about_signing_in():
            yield sent.group()


def _fits(cue: _Cue, value: str, link: str, after: str) -> bool:
    """Whether the value can be what the cue announces, and not the next word of the sentence."""
    if cue.label == "SECRET":
        return _is_secret(value, link, strict=cue.needs_number)
    if cue.label == "USERNAME":
        return _is_login(value, link, marked_only=cue.needs_number)
    if cue.label in ("ORDER_ID", "CUSTOMER_ID"):
        digits = sum(character.isdigit() for character in value)
        return (
            digits >= 4 - ("#" in value or "№" in value)
            and not UNIT.match(after)
            and (_DATE.fullmatch(value) is None)
        )
    return True


def _is_secret(value: str, link: str, *, strict: bool) -> bool:
    if "://" in value or _HOST.fullmatch(value) or value.strip("*_").casefold() in _states():
        return False
    if value.endswith("%") or (value.isdigit() and len(value) < 4):
        return False
    mixed = any(c.isdigit() for c in value)
    ordinary = gazetteer().is_word(value.casefold()) or (value.isalpha() and is_cyrillic(value))
    if strict:
        return (
            mixed
            and len(value) >= 4
            and not value.startswith(("0x", "0X"))
            and bool(_SAID.search(link) or value.isdigit())
        )
    if mixed:
        is_code = value.isdigit() and 3 < len(value) < 9
        return _SAID.search(link) is not None or _is_tangled(value) or is_code
    if _COLON.search(link):
        return True
    return not ordinary and _SAYS_SO.search(link) is not None


def _is_tangled(value: str) -> bool:
    """Letters of both cases, marks, or two digits among the letters: no word of a sentence."""
    plain = value.isalnum() and (value.islower() or value.isupper() or value.istitle())
    digits = sum(c.isdigit() for c in value)
    return len(value) >= 6 and any(c.isalpha() for c in value) and (not plain or digits > 1)


def _is_login(value: str, link: str, *, marked_only: bool) -> bool:
    """A login has a digit or a mark in it, or is named as one and is no ordinary word."""
    marked = any(c.isdigit() or c in "_.-@" for c in value)
    if is_cyrillic(value) or value.casefold() in {"id", "name"} | _states():
        return False
    if _HOST.fullmatch(value.lstrip("@")):
        return False
    if marked:
        return not (
            value.count("-") == 1
            and gazetteer().is_word(value.partition("-")[0].casefold())
            and not any(c.isdigit() for c in value)
        )
    return (
        not marked_only
        and bool(_NAMED_LOGIN.search(link))
        and not gazetteer().is_word(value.casefold())
    )


@lru_cache(maxsize=1)
def _states() -> frozenset[str]:
    return frozenset(state.casefold() for state in _WORDS.password_states)


@lru_cache(maxsize=20_000)
def _cues_for(word: str) -> tuple[_Cue, ...]:
    cues = _cues()
    found = cues.get(word, ())
    for end in range(min(len(word), _LONGEST_STEM), 2, -1):
        found = found or cues.get(word[:end] + "*", ())
    return found


@lru_cache(maxsize=1)
def _cues() -> dict[str, tuple[_Cue, ...]]:
    cues: dict[str, tuple[_Cue, ...]] = {}
    for label, ending in itertools.product(LABELS, ("", _NUMBERED_KEY)):
        for word in getattr(_WORDS, label.lower() + ending, ()):
            key = word.casefold()
            cues[key] = (*cues.get(key, ()), _Cue(label, bool(ending)))
    return cues
