"""Numbers and keys that no word announces, but whose form hardly anything else has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum.us import ssn

from backend.privacy.labels import Label, Span

_ORDER = re.compile(
    r"(?<![\w-])(?:(?:ORD|ORDER|SO|PO|INV|RMA|WO|AB|RE|BE|KD|TT|ТТН|ЗАМ|ЗК|Z|CASE|REQ|"
    r"TKT)[-#№_/ ]?\d{5,12}"
    r"|[A-ZА-Я]{1,3}\d{2,4}-\d{4,7}|\d{3}-\d{7}-\d{7}|№\s?\d{4,12})(?![\w-]|[.,]\d)"
)
_FOUR_DIGITS = re.compile(r"\d{4}")
_HASHED = re.compile(r"(?<![\w/#&])#\d{5,12}(?![\w-]|[.,]\d)")
_NOT_AN_ORDER = re.compile(
    r"(?:colou?rs?\W{0,3}(?:is|are|to)?|#\w{6},?|background|fill|bug|issue|pull|pr|ticket|commit|color|colour|article|kb|rfc|cve)\s?\Z",
    re.I,
)
_TOPIC = re.compile(
    r"\border(?:ed|s)?\b|\bdeliver|\bshipp?(?:ed|ing)?\b|\bparcel|замов|достав|посилк|заказ|"
    r"посылк|bestell|liefer|paket",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?<![\w.,:#№+/-])(?!20[0-3]\d[01]\d[0-3]\d\b)\d{8,10}(?![\w-]|[.,:/]\d)")
_OTHER_NUMBER = re.compile(
    r"(?:build|version|port|error|code|size|кб|id|verz\w*|верс\w*|збірк\w*|сборк\w*|порт|"
    r"помилк\w*|ошибк\w*|код|"
    r"розмір\w*|размер\w*|\w+ письма|bytes?|tax|ипн|іпн|инн|phone|tel)\W{0,3}\Z",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\s?(?:[mkgt]i?b\b|bytes?|байт|мб|гб|кб|грн|uah|usd|eur|руб|[$€£₴₽%])", re.IGNORECASE
)
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_KEY = re.compile(
    r"(?<![\w-])(?:sk-(?:[a-z]+-)?[A-Za-z0-9_-]{16,}|gh[opsur]_[A-Za-z0-9]{30,}|"
    r"github_pat_\w{30,}|glpat-[\w-]{20,}|"
    r"AKIA[A-Z0-9]{16}|xox[abprs]-[\w-]{10,}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,}|[rsp]k_(?:live|"
    r"test)_[A-Za-z0-9]{16,}|"
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+|1000\.[0-9a-f]{32}\.[0-9a-f]{32})(?![\w-])"
)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z")
_IN_URL = re.compile(r"(?<=://)[^\s/:@]{1,64}:[^\s/@]{1,64}(?=@)")
_LOGGED_IN = re.compile(
    r"\b(?:log(?:ged|ging|in)?\s?(?:in|on)?|sign(?:ed|ing)?\s?in|account|anmelden|einloggen|"
    r"eingeloggt|войти|"
    r"вхожу|захожу|увійти|зайти|заходжу)\s(?:as|als|як|как|под|"
    r"під)\s[\"'«„“]?(?P<login>@?[\w.+-]{3,40}\w)",
    re.IGNORECASE,
)

_SIGNING = (" as ", " als ", " як ", " как ", " под ", " під ")


def find_keys(text: str) -> Iterator[Span]:
    """Keys of services, private keys, and passwords in web addresses."""
    yield from _all(_KEY, text, "SECRET", "the form of a key")
    yield from _all(_IN_URL, text, "SECRET", "a password in an address")
    yield from _private_keys(text)


def find_formed(text: str) -> Iterator[Span]:
    """Order and social security numbers that their form gives away."""
    if _FOUR_DIGITS.search(text):
        yield from _all(_ORDER, text, "ORDER_ID", "the form of an order number")
    for match in _HASHED.finditer(text):
        if not _NOT_AN_ORDER.search(text[max(0, match.start() - 10) : match.start()]):
            yield Span(*match.span(), "ORDER_ID", match.group(), "a number with a hash")
    for match in _SSN.finditer(text):
        if ssn.is_valid(match.group()):
            yield Span(*match.span(), "TAX_ID", match.group(), "a social security number")


def find_logins(text: str) -> Iterator[Span]:
    """Whom somebody logs in as."""
    plain = text.casefold()
    if not any(hint in plain for hint in _SIGNING):
        return
    for match in _LOGGED_IN.finditer(text):
        login = match.group("login")
        if any(not character.isalpha() for character in login) and login[0] < "\u0400":
            yield Span(*match.span("login"), "USERNAME", login, "who logs in")


def find_bare_orders(text: str) -> Iterator[Span]:
    """Long numbers without a unit in a text about orders; asked for after everything else."""
    if not _TOPIC.search(text):
        return
    for match in _BARE.finditer(text):
        before = text[max(0, match.start() - 24) : match.start()]
        if not _OTHER_NUMBER.search(before) and not _UNIT.match(text, match.end()):
            yield Span(*match.span(), "ORDER_ID", match.group(), "a long number in an order's text")


def _private_keys(text: str) -> Iterator[Span]:
    """Each private key with all its lines, or up to the end of the text where it has no end."""
    place = 0
    while begin := _KEY_BEGINS.search(text, place):
        end = _KEY_ENDS.search(text, begin.end())
        place = end.end() if end else len(text)
        yield Span(begin.start(), place, "SECRET", text[begin.start() : place], "a private key")


def _all(pattern: re.Pattern[str], text: str, label: Label, why: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        yield Span(*match.span(), label, match.group(), why)
