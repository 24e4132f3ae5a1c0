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
_HASHED = re.compile(r"(?<![\w/#&])#\d{5,12}(?![\w-]|[.,]\d)")
_NOT_AN_ORDER = re.compile(
    r"(?:bug|issue|pull|pr|ticket|commit|color|colour|article|kb|rfc|cve)\s?\Z", re.I
)
_TOPIC = re.compile(
    r"\border(?:ed|s)?\b|\bdeliver|\bshipp?(?:ed|ing)?\b|\bparcel|замов|достав|посилк|заказ|"
    r"посылк|bestell|liefer|paket",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?<![\w.,:#№+/-])\d{8,10}(?![\w-]|[.,:/]\d)")
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
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.{0,8000}?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_IN_URL = re.compile(r"(?<=://)[^\s/:@]{1,64}:[^\s/@]{1,64}(?=@)")
_LOGGED_IN = re.compile(
    r"\b(?:log(?:ged|ging|in)?\s?(?:in|on)?|sign(?:ed|ing)?\s?in|account|anmelden|einloggen|"
    r"eingeloggt|войти|"
    r"вхожу|захожу|увійти|зайти|заходжу)\s(?:as|als|як|как|под|"
    r"під)\s[\"'«„“]?(?P<login>@?[\w.+-]{3,40}\w)",
    re.IGNORECASE,
)


def find_formed(text: str) -> Iterator[Span]:
    """Order numbers, keys and social security numbers that their form gives away."""
    for pattern, label, why in (
        (_KEY, "SECRET", "the form of a key"),
        (_PRIVATE_KEY, "SECRET", "a private key"),
        (_IN_URL, "SECRET", "a password in an address"),
        (_ORDER, "ORDER_ID", "the form of an order number"),
    ):
        yield from _all(pattern, text, label, why)  # type: ignore[arg-type]
    for match in _HASHED.finditer(text):
        if not _NOT_AN_ORDER.search(text[max(0, match.start() - 10) : match.start()]):
            yield Span(*match.span(), "ORDER_ID", match.group(), "a number with a hash")
    for match in _SSN.finditer(text):
        if ssn.is_valid(match.group()):
            yield Span(*match.span(), "TAX_ID", match.group(), "a social security number")
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


def _all(pattern: re.Pattern[str], text: str, label: Label, why: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        yield Span(*match.span(), label, match.group(), why)
