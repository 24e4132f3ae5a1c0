"""What a text marks as private by its form alone: mails, network addresses, cards, accounts, keys.

Whatever has a check digit is checked, so that a build number is not taken for a card.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from stdnum import iban, luhn

from backend.privacy.labels import Span

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.!#$%&'*+/=?^`{|}~-]{0,63}[\w+&~-]@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+"
    r"(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w@])"
)
_SPELT_EMAIL = re.compile(
    r"(?<![\w.])[\w.+-]{2,64}\s?[\[({<]\s?(?:at|@|ät|собака|собачка)\s?[\])}>]\s?"
    r"[\w-]{2,63}(?:(?:\s?[\[({<]\s?(?:dot|punkt|точка|крапка)\s?[\])}>]\s?|\.)[\w-]{2,63}){1,3}",
    re.IGNORECASE,
)
_PUBLIC_MAILBOXES = frozenset({"git@github.com", "git@gitlab.com", "git@bitbucket.org"})

_IPV4 = re.compile(r"(?<![\w.\-/+])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-f:]*:[0-9a-f:]*:)[0-9a-f:]{2,39}(?![\w:])", re.IGNORECASE)
_VERSION_BEFORE = re.compile(
    r"(?:\bv|\bver|version\w*|verz\w*|верс\w*|build|сборк\w*|збірк\w*|release\w*|реліз\w*|релиз\w*|"
    r"firmware|прошивк\w*|update|updat\w*|оновлен\w*|обновлен\w*|driver|драйвер\w*|patch|sdk)"
    r"[\s:.#№()=-]{0,3}(?:[a-z]+\s)?\Z",
    re.IGNORECASE,
)
_ADDRESS_WORD = re.compile(
    r"\b(?:ip|ipv4|host|server|адрес\w*|сервер\w*|from|from:)\W{0,3}\Z", re.I
)
_NAMED_PRODUCT = re.compile(r"[A-Z][A-Za-z]{2,}(?:\s[A-Z][a-z]+)?[ /]\Z")

_CARD = re.compile(r"(?<![\w.,+-])(?:\d[ \u00a0-]?){11,18}\d(?![\w-]|[.,]\d)")
_ISSUERS = re.compile("[2-6]|1800|9")
_CARD_WORD = re.compile(
    r"card|visa|master|maestro|amex|credit|debit|\bcc\b|карт|karte", re.IGNORECASE
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]){11,31}", re.IGNORECASE)
_IBAN_LENGTHS = range(15, 35)


def find_marked(text: str) -> Iterator[Span]:
    """Mails, network addresses, cards and bank accounts in a text."""
    if "@" in text or "[" in text or "(" in text:
        yield from _emails(text)
    yield from _addresses(text)
    yield from _cards(text)
    yield from _accounts(text)


def _emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        start = match.start()
        value = match.group()
        stripped = value.lstrip("'`*/=|{}#!?.^&")
        start += len(value) - len(stripped)
        if stripped.casefold() not in _PUBLIC_MAILBOXES and not stripped.startswith("@"):
            yield Span(start, match.end(), "EMAIL", stripped, "a mail address")
    for match in _SPELT_EMAIL.finditer(text):
        yield Span(match.start(), match.end(), "EMAIL", match.group(), "a spelt mail address")


def _addresses(text: str) -> Iterator[Span]:
    for match in _IPV4.finditer(text):
        if _is_address(match.group()) and not _is_version(text, match.start()):
            yield Span(match.start(), match.end(), "IP", match.group(), "an IPv4 address")
    for match in _IPV6.finditer(text):
        value = match.group()
        if _is_address(value) and len(value) > len("::1"):
            yield Span(match.start(), match.end(), "IP", value, "an IPv6 address")


def _is_address(value: str) -> bool:
    """Whether it is an address of somebody: masks, loopback and the like are nobody's."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (
        address.is_loopback
        or address.is_unspecified
        or address.is_multicast
        or value.startswith("255.")
    )


def _is_version(text: str, start: int) -> bool:
    before = text[max(0, start - 32) : start]
    if _ADDRESS_WORD.search(before):
        return False
    return bool(_VERSION_BEFORE.search(before) or _NAMED_PRODUCT.search(before))


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        value = match.group()
        digits = re.sub(r"\D", "", value)
        if len(set(digits)) < 2:
            continue
        named = _CARD_WORD.search(text, max(0, match.start() - 40), match.start())
        if len(digits) > 12 and _ISSUERS.match(digits) and luhn.is_valid(digits):
            yield Span(match.start(), match.end(), "CARD", value, "a card number (Luhn)")
        elif named:
            yield Span(match.start(), match.end(), "CARD", value, "called a card")


def _accounts(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        end = _account_end(match.group())
        if end:
            value = match.group()[:end]
            yield Span(match.start(), match.start() + end, "IBAN", value, "an IBAN (mod 97)")


def _account_end(value: str) -> int:
    """Where in a run of letters and digits a valid account number ends; 0 for nowhere.

    The run may hold the next words too: the longest beginning that the check digits fit counts.
    """
    places = [place for place, character in enumerate(value, 1) if character.isalnum()]
    for length in range(min(len(places), _IBAN_LENGTHS[-1]), _IBAN_LENGTHS[0] - 1, -1):
        if iban.is_valid(value[: places[length - 1]]):
            return places[length - 1]
    return 0
