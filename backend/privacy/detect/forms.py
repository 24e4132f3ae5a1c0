"""What a text's form gives away: keys, mails, network addresses, cards, numbers, postal addresses.

Whatever has a check digit is checked, so that a build number is not taken for a card; telephone
numbers are checked against the plans of the countries that the text's language suggests.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from stdnum import iban, luhn
from stdnum.us import ssn

from backend.privacy import Label, Span
from backend.privacy.lexicon import is_cyrillic, privacy_words, role
from backend.system.languages import either

_WORDS = privacy_words()
_ORDER = re.compile(
    rf"(?<![\w-])(?:{either(_WORDS.order_prefixes)}[-#№_/ ]?\d{{5,12}}"
    r"|[A-Z\u0410-\u042f]{1,3}\d{2,4}-\d{4,7}|\d{3}-\d{7}-\d{7}|№\s?\d{4,12})(?![\w-]|[.,]\d)"
)
_FOUR_DIGITS = re.compile(r"\d{4}")
_HASHED = re.compile(r"(?<![\w/#&])#\d{5,12}(?![\w-]|[.,]\d)")
_NOT_AN_ORDER = re.compile(rf"{either(_WORDS.never_orders)}\s?\Z", re.IGNORECASE)
_TOPIC = re.compile(either(_WORDS.order_topics), re.IGNORECASE)
_BARE = re.compile(r"(?<![\w.,:#№+/-])(?!20[0-3]\d[01]\d[0-3]\d\b)\d{8,10}(?![\w-]|[.,:/]\d)")
_OTHER_NUMBER = re.compile(rf"{either(_WORDS.other_numbers)}\W{{0,3}}\Z", re.IGNORECASE)
UNIT = re.compile(rf"\s?(?:{either(_WORDS.units)}\b|[$€£₴₽%])", re.IGNORECASE)
"""What follows a number that is an amount."""

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
    rf"\b{either(_WORDS.log_in_verbs)}\s{either(_WORDS.as_words)}\s[\"'«„“]?"
    r"(?P<login>@?[\w.+-]{3,40}\w)",
    re.IGNORECASE,
)
_SIGNING = tuple(f" {word} " for word in _WORDS.as_words)
_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.!#$%&'*+/=?^`{|}~-]{0,63}[\w+&~-]@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+"
    r"(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w@])"
)
_SPELT_EMAIL = re.compile(
    rf"(?<![\w.])[\w.+-]{{2,64}}\s?[\[({{<]\s?(?:@|{either(_WORDS.at_words)})\s?[\])}}>]\s?"
    rf"[\w-]{{2,63}}(?:(?:\s?[\[({{<]\s?{either(_WORDS.dot_words)}\s?[\])}}>]\s?|\.)"
    r"[\w-]{2,63}){1,3}",
    re.IGNORECASE,
)
_PUBLIC_MAILBOXES = frozenset({"git@github.com", "git@gitlab.com", "git@bitbucket.org"})
_IPV4 = re.compile(r"(?<!\d)(?<!\d\.)(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-f:]*:[0-9a-f:]*:)[0-9a-f:]{2,39}(?![\w:])", re.IGNORECASE)
_VERSION_BEFORE = re.compile(
    rf"{either(_WORDS.version_words)}[\s:.#№()=-]{{0,3}}(?:{either(_WORDS.version_links)}\s)?\Z",
    re.IGNORECASE,
)
_IN_FILE = re.compile(r"\w[-/]?\Z")
_FILE_GOES_ON = re.compile(r"-?\w|\.[a-z]")
_WORD_BEFORE = re.compile(r"([A-Z][A-Za-z]{2,})[ /]\Z")
_CARD = re.compile(r"(?<![\w.,+-])(?:\d[ \u00a0-]?){11,18}\d(?![\w-]|[.,]\d)")
_ISSUERS = re.compile("[2-6]|1800|9")
_CARD_WORD = re.compile(either(_WORDS.card_words), re.IGNORECASE)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]){11,31}", re.IGNORECASE)
_IBAN_LENGTHS = range(15, 35)
_RUN = re.compile(
    r"(?<![\w.:@#/\-+])(?<!\d,)(?:\+|00)?[ ]?\(?\+?\d(?:[ \u00a0\u2009\u2011().\-–/]{0,3}\d){6,15}"
    rf"(?:\s?{either(_WORDS.phone_extensions)}\s?\d{{1,6}})?(?![\w@]|[.,:/-]\d)"
)
_CALLED = re.compile(rf"{either(_WORDS.phone_words)}\b[^\d\n]{{0,25}}\Z", re.IGNORECASE)
_GROUPED = re.compile(r"\+|\(\d{2,5}\)|\d{2,4}[ .\-–]\d{2,4}[ .\-–]\d{2,4}")
_MOBILE = re.compile(r"(?:38)?0\d{9}|[78]9\d{9}|01[567]\d{8,9}")
"""Written in one piece, as in Ukraine, Russia and Germany."""

_NORTH_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}")
_NOT_A_PHONE = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{1,3}\.\d{1,2}\.\d{1,2}(?!\d)|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,3}(?:\.\d{1,3}){3}|(?:19|20)\d\d\s?[-–]\s?(?:19|20)\d\d"
)
_MOST_DIGITS = 15
_CAP = (
    r"[^\W\d_a-z\u00e4\u00f6\u00fc\u00df\u0430-\u044f\u0451\u0454\u0456\u0457\u0491][\w'’.-]{0,60}"
)
_GERMAN_CAP = r"[A-ZÄÖÜ]"
_CYRILLIC_CAP = r"[\u0410-\u042f\u0401\u0404\u0406\u0407\u0490]"
_STATE = r"[A-Z]{2}\b"
_NAME_EN = r"[A-ZÀ-Þ][^\W\d_]+(?:['’-][^\W\d_]+)?"
_TOWN_EN = rf"(?:,?[ \n]{{1,2}}(?!{_STATE}){_NAME_EN}(?:[ -](?!{_STATE}){_NAME_EN}){{0,2}})"
_CODE_EN = (
    r"(?:,?[ \n]{1,2}(?:[A-Z]{2}[ ,]{1,2})?"
    r"(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)\b)"
)
_FLAT_EN = rf"(?:{either(_WORDS.flats)}\s?[\w-]{{1,6}})"
_STREET_EN = rf"{either(_WORDS.streets_after_name)}\b\.?"
_ENGLISH = re.compile(
    rf"(?<![\w.,:/#-])(?:{_FLAT_EN},?\s)?\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,5}})?,?\s(?:[NSEW]\.?\s|"
    rf"{either(_WORDS.directions)}\s)?"
    rf"(?:{_CAP}\s){{1,4}}{_STREET_EN}(?:,?\s{_FLAT_EN})?(?:{_TOWN_EN}(?=,|\s[A-Z]{{1,2}}\d|"
    rf"\s[A-Z]{{2}}\b|\s\d|[.!?;\n]|\Z))?"
    rf"{_CODE_EN}?(?:\s\d{{1,2}}(?!\w))?"
)
_BOX = re.compile(
    rf"(?<!\w){either(_WORDS.post_boxes)}\s?\d{{1,6}}"
    rf"(?:,?[ \n]{{1,2}}(?:Box|APO|FPO|AP|AE|AA|{_CAP}|\d{{4,6}})){{0,5}}"
)
_NUMBERED_FLAT = re.compile(
    rf"(?<![\w.,:/#-])\d{{1,5}}\s(?:{_CAP}\s|\d{{1,5}}\s){{1,4}}\d{{0,5}}\s?(?:\n\s?)?{_FLAT_EN}"
    rf"(?:[ ,\n]{{1,3}}(?:{_CAP}|\d{{4,6}}(?!\d))){{0,6}}"
)
_POSTCODE_DE = r"(?:D-|A-|CH-)"
_HOUSE_DE = r"\d{1,3}\s?[a-z]?(?:\s?[-/]\s?\d{1,4})?(?!\w|[.,]\d)"
_TOWN_DE = rf"{_GERMAN_CAP}[\w-]{{1,60}}"
_GERMAN = re.compile(
    rf"(?<![\w-])(?:(?:{_GERMAN_CAP}[\w.-]{{0,60}}\s){{0,3}}{_GERMAN_CAP}[\w-]{{0,60}}"
    rf"{either(_WORDS.street_endings)}|"
    rf"{_GERMAN_CAP}[\w-]{{1,60}}e[rsn]?\s{either(_WORDS.streets_after_adjective)}|"
    rf"{either(_WORDS.streets_before_names)}\s(?:{_GERMAN_CAP}[\w-]{{0,60}}\s?){{1,3}})\s?"
    rf"{_HOUSE_DE}(?:,?[ \n]{{1,2}}{_POSTCODE_DE}?\d{{4,5}}\s{_TOWN_DE}"
    rf"(?:\s{either(_WORDS.town_additions)}\s{_GERMAN_CAP}\w+)?)?"
)
_POSTCODE_TOWN = re.compile(rf"(?<![\w.,-]){_POSTCODE_DE}\d{{4,5}}\s{_TOWN_DE}")
_POSTCODE_LINE = re.compile(
    rf"(?<![\w-])(?!{either(_WORDS.address_labels)})(?:{_GERMAN_CAP}[\w.-]{{1,60}}\s){{1,4}}"
    rf"\d{{1,4}}\s?[a-z]?,?\s{{1,2}}{_POSTCODE_DE}?\d{{5}}\s{_TOWN_DE}"
)
"""Words, a house number, a postcode and a town, whatever the street is called."""

_WORD_CYR = r"[^\W\d_][\w'’ʼ.-]{0,60}"
_NAME_CYR = rf"{_CYRILLIC_CAP}[\w'’ʼ-]{{1,60}}"
_TOWN_CYR = rf"(?:{either(_WORDS.towns)}\s?{_NAME_CYR}(?:\s{_NAME_CYR})?)"
_HOUSE_CYR = (
    rf"(?:{either(_WORDS.houses)}\s?){{0,2}}"
    r"\d{1,4}(?:\s?[-/]\s?\d{1,4})?(?:\s?[a-z\u0430-\u044f\u0454\u0456\u0457](?!\w))?"
)
_FLAT_CYR = rf"(?:,?\s?{either(_WORDS.house_parts)}\s?№?\s?\d{{1,4}})"
_BARE_TOWN = rf"(?:{_NAME_CYR}(?:\s{either(_WORDS.districts)}\w*)?)"
_CYRILLIC = re.compile(
    rf"(?<!\w)(?:\d{{5,6}},?\s)?(?:{_TOWN_CYR},?\s|{_BARE_TOWN},\s)?"
    rf"{either(_WORDS.streets_with_house)}\s?"
    rf"(?:\d{{1,3}}(?:-?{either(_WORDS.street_number_endings)})?\s)?"
    rf"{_WORD_CYR}(?:\s{_WORD_CYR}){{0,2}},?\s{_HOUSE_CYR}{_FLAT_CYR}{{0,3}}"
    rf"(?:,\s(?:{_TOWN_CYR}|{_BARE_TOWN}))?(?:,\s\d{{5,6}}(?!\d))?",
    re.IGNORECASE,
)
_PARTICLE = either(_WORDS.street_particles)
_ROMANCE = re.compile(
    rf"(?<![\w.,:/#-])(?:\d{{1,4}},?\s(?:{either(_WORDS.house_additions)}\s)?)?"
    rf"{either(_WORDS.streets_before_name)}\s(?:{_PARTICLE}\s)*"
    rf"{_CAP}(?:\s(?:{_PARTICLE}\s)?{_CAP}){{0,3}}"
    rf"(?:,?\s\d{{1,4}}[^\W\d]?(?!\w)(?:/\d{{1,4}}(?!\w))?"
    rf"(?:\s{either(_WORDS.house_flats)}\s?\d{{1,4}}(?!\w))?)?"
    rf"(?:,?\s{either(_WORDS.postcodes)}\s{_CAP})?"
)
_ANNOUNCED = re.compile(rf"{either(_WORDS.address_announcements)}\s{{0,3}}", re.IGNORECASE)
_ANYTHING_NUMBERED = re.compile(
    rf"(?:\d{{1,5}}[a-zA-Z]?,?\s(?:{_CAP}[ ,]{{1,2}}){{0,4}}{_CAP}|"
    rf"{_CAP}(?:[ ]{_CAP}){{0,3}},?\s\d{{1,5}}[a-zA-Z]?(?!\w))"
    rf"(?:[ ,\n]{{1,3}}(?:{_FLAT_EN}|{_CAP}|\d{{3,6}}(?!\w))){{0,6}}"
)
_DIGIT = re.compile(r"(?<![^\W\d])\d")
_NOT_PLAIN = re.compile(r"\(\?:[^()]*\)[?*+]?|\[[^]]*\][?*+]?|\\[^.][?*+]?|\\?.[?*+]")


def _hints(*words: str) -> tuple[str, ...]:
    """What a text must hold if one of these expressions is in it: their longest plain piece."""
    small = (re.sub(r"\[(\w)\w\]", r"\1", word) for word in words)  # `[Rr]ue` is `rue`
    plain = (_NOT_PLAIN.sub("\n", word).replace("\\.", ".") for word in small)
    return tuple({max(text.split("\n"), key=len).casefold() for text in plain})


_STREETS: tuple[tuple[re.Pattern[str], Sequence[str]], ...] = (
    (_ENGLISH, ()),
    (_BOX, _hints(*_WORDS.post_boxes)),
    (_NUMBERED_FLAT, _hints(*_WORDS.flats)),
    (
        _GERMAN,
        _hints(
            *_WORDS.street_endings, *_WORDS.streets_after_adjective, *_WORDS.streets_before_names
        ),
    ),
    (_POSTCODE_LINE, ()),
    (_POSTCODE_TOWN, ("d-", "a-", "ch-")),
    (_CYRILLIC, _hints(*_WORDS.streets_with_house)),
    (_ROMANCE, _hints(*_WORDS.streets_before_name)),
)
"""Each pattern with pieces of words without which it is not worth trying; none: always."""


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
        if any(not character.isalpha() for character in login) and not is_cyrillic(login):
            yield Span(*match.span("login"), "USERNAME", login, "who logs in")


def find_bare_orders(text: str) -> Iterator[Span]:
    """Long numbers without a unit in a text about orders; asked for after everything else."""
    if not _TOPIC.search(text):
        return
    for match in _BARE.finditer(text):
        before = text[max(0, match.start() - 24) : match.start()]
        if not _OTHER_NUMBER.search(before) and not UNIT.match(text, match.end()):
            yield Span(*match.span(), "ORDER_ID", match.group(), "a long number in an order's text")


def find_marked(text: str) -> Iterator[Span]:
    """Mails, network addresses, cards and bank accounts in a text."""
    if "@" in text or "[" in text or "(" in text:
        yield from _emails(text)
    yield from _network_addresses(text)
    yield from _cards(text)
    yield from _accounts(text)


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


def find_addresses(text: str) -> Iterator[Span]:
    """Streets with a house number, boxes, and whatever numbered thing is called an address."""
    if not _DIGIT.search(text):
        return
    plain = text.casefold()
    for pattern, hints in _STREETS:
        if hints and not any(hint in plain for hint in hints):
            continue
        for match in pattern.finditer(text):
            if _DIGIT.search(match.group()):
                yield _span(match, "a street with a number")
    for cue in _ANNOUNCED.finditer(text):
        called = _ANYTHING_NUMBERED.match(text, cue.end())
        if called:
            yield _span(called, "called an address")


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


def _network_addresses(text: str) -> Iterator[Span]:
    for match in _IPV4.finditer(text):
        value = match.group()
        if _is_address(value) and not _is_version(text, match):
            yield Span(match.start(), match.end(), "IP", value, "an IPv4 address")
    for match in _IPV6.finditer(text):
        value = match.group()
        if _is_address(value) and len(value) > len("::1"):
            yield Span(match.start(), match.end(), "IP", value, "an IPv6 address")


def _is_address(value: str) -> bool:
    """Whether it is an address of somebody: masks and loopback are nobody's."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (
        address.is_loopback or address.is_unspecified or value.startswith(("255.255.", "0."))
    )


def _is_version(text: str, match: re.Match[str]) -> bool:
    """Whether four small numbers are a version: after such a word, a product, or part of a file."""
    before = text[max(0, match.start() - 32) : match.start()]
    if _VERSION_BEFORE.search(before):
        return True
    if sum(len(part) > 1 for part in match.group().split(".")) > 2:
        return False
    named = _WORD_BEFORE.search(before)
    return bool(
        (named and role(named.group(1), russian=False).nobody)
        or _IN_FILE.search(before)
        or _FILE_GOES_ON.match(text, match.end())
    )


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
    return "called a telephone number" if called and 7 <= digits <= _MOST_DIGITS else ""


def _span(match: re.Match[str], why: str) -> Span:
    value = match.group().rstrip(" ,.\n")
    return Span(match.start(), match.start() + len(value), "ADDRESS", value, why)
