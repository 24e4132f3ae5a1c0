"""Telephone numbers, by the plans of the countries that a text's language suggests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.privacy.labels import Span

_RUN = re.compile(
    r"(?<![\w.:@#/\-+])(?<!\d,)(?:\+|00)?[ ]?\(?\+?\d(?:[ \u00a0\u2009\u2011().\-–/]{0,3}\d){6,15}"
    r"(?:\s?(?:x|ext\.?|доб\.?|дод\.?|вн\.?)\s?\d{1,6})?(?![\w@]|[.,:/-]\d)"
)
_CALLED = re.compile(
    r"(?:tel|phone|telefon|telephone|mobile?|cell|fax|call|ring|sms|whats\s?app|viber|telegram|"
    r"signal|handy|ruf\w*|nummer|anruf\w*|erreichbar|contact|dial|reach|"
    r"тел|телефон\w*|моб\w*|факс|дзвон\w*|звон\w*|зателефон\w*|передзвон\w*|перезвон\w*|"
    r"вайбер\w*|вотсап\w*|телеграм\w*|номер\w*|number)\b[^\d\n]{0,25}\Z",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"\+|\(\d{2,5}\)|\d{2,4}[ .\-–]\d{2,4}[ .\-–]\d{2,4}")
_MOBILE = re.compile(r"(?:38)?0\d{9}|[78]9\d{9}|01[567]\d{8,9}")
"""Written in one piece, as in Ukraine, Russia and Germany."""

_NORTH_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}")
_NOT_A_PHONE = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{1,3}\.\d{1,2}\.\d{1,2}(?!\d)|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,3}(?:\.\d{1,3}){3}|(?:19|20)\d\d\s?[-–]\s?(?:19|20)\d\d"
)
_MOST = 15


def find_phones(text: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """Numbers that exist by their country's plan; the regions are tried in order."""
    for match in _RUN.finditer(text):
        value = match.group().strip()
        start = match.start() + (len(match.group()) - len(match.group().lstrip()))
        if value.startswith("("):
            if ")" not in value:
                value, start = value[1:], start + 1
        elif value.count(")") > value.count("("):
            continue
        if _NOT_A_PHONE.match(value) or value.count("(") != value.count(")"):
            continue
        called = bool(_CALLED.search(text[max(0, start - 40) : start]))
        if called or _GROUPED.search(value) or _MOBILE.fullmatch(value):
            why = _exists(value, regions, called=called or bool(_NORTH_AMERICAN.fullmatch(value)))
            if why:
                yield Span(start, start + len(value), "PHONE", value, why)


def _exists(value: str, regions: tuple[str, ...], *, called: bool) -> str:
    """Why this is a telephone number, or "". With a word such as `tel.` a possible one will do."""
    import phonenumbers  # its plans are loaded when the first number is met

    for region in (None,) if value.startswith(("+", "00")) else regions:
        try:
            spelt = "+" + value[2:] if value.startswith("00") else value
            number = phonenumbers.parse(spelt, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return f"a number of {phonenumbers.region_code_for_number(number) or 'a country'}"
        if (called or region is None) and phonenumbers.is_possible_number(number):
            return "written or called as a telephone number"
    digits = sum(character.isdigit() for character in value)
    return "called a telephone number" if called and 7 <= digits <= _MOST else ""
