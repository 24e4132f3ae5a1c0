"""Postal addresses: a street with a number, and the town and code around it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend.privacy.labels import Span

_CAP = r"[^\W\d_a-zа-яіїєґёäöüß][\w'’.-]{0,60}"
_STATE = r"[A-Z]{2}\b"
_NAME_EN = r"[A-ZÀ-Þ][^\W\d_]+(?:['’-][^\W\d_]+)?"
_TOWN_EN = rf"(?:,?[ \n]{{1,2}}(?!{_STATE}){_NAME_EN}(?:[ -](?!{_STATE}){_NAME_EN}){{0,2}})"
_CODE_EN = (
    r"(?:,?[ \n]{1,2}(?:[A-Z]{2}[ ,]{1,2})?"
    r"(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)\b)"
)
_UNIT_EN = (
    r"(?:(?:Flat|Apt\.?|Apartment|Suite|Ste\.?|Unit|Room|Floor|Building|Bldg\.?|#)\s?[\w-]{1,6})"
)
_STREET_EN = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|"
    r"Terrace|Ter|Way|Parkway|Pkwy|Highway|Hwy|Close|Crescent|Cres|Grove|Gardens|Mews|Row|Circle|"
    r"Cir|"
    r"Trail|Alley|Hill|Quay|Walk|Heights|Union|Branch|Plaza|Route)\b\.?"
)
_ENGLISH = re.compile(
    rf"(?<![\w.,:/#-])(?:{_UNIT_EN},?\s)?\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,5}})?,?\s(?:[NSEW]\.?\s|"
    rf"(?:North|South|East|West)\s)?"
    rf"(?:{_CAP}\s){{1,4}}{_STREET_EN}(?:,?\s{_UNIT_EN})?(?:{_TOWN_EN}(?=,|\s[A-Z]{{1,2}}\d|"
    rf"\s[A-Z]{{2}}\b|\s\d|[.!?;\n]|\Z))?"
    rf"{_CODE_EN}?(?:\s\d{{1,2}}(?!\w))?"
)
_BOX = re.compile(
    r"(?<!\w)(?:P\.?\s?O\.?\s?Box|PSC|Postfach|а/с|абонентська скринька|п/с)\s?\d{1,6}"
    rf"(?:,?[ \n]{{1,2}}(?:Box|APO|FPO|AP|AE|AA|{_CAP}|\d{{4,6}})){{0,5}}"
)
_NUMBERED_UNIT = re.compile(
    rf"(?<![\w.,:/#-])\d{{1,5}}\s(?:{_CAP}\s|\d{{1,5}}\s){{1,4}}\d{{0,5}}\s?(?:\n\s?)?{_UNIT_EN}"
    rf"(?:[ ,\n]{{1,3}}(?:{_CAP}|\d{{4,6}}(?!\d))){{0,6}}"
)
_GERMAN = re.compile(
    r"(?<![\w-])(?:(?:[A-ZÄÖÜ][\wäöüß.-]{0,60}\s){0,3}[A-ZÄÖÜ][\wäöüß-]{0,60}"
    r"(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer|chaussee|steig|stieg)|"
    r"[A-ZÄÖÜ][\wäöüß-]{1,60}e[rsn]?\s(?:Straße|Str\.|Weg|Platz|Allee|Gasse|Damm|Ufer)|"
    r"(?:Straße|Str\.|Allee|Unter den)\s(?:[A-ZÄÖÜ][\wäöüß-]{0,60}\s?){1,3})\s?"
    r"\d{1,3}\s?[a-z]?(?:\s?[-/]\s?\d{1,4})?(?!\w|[.,]\d)"
    r"(?:,?[ \n]{1,2}(?:D-|A-|CH-)?\d{4,5}\s[A-ZÄÖÜ][\wäöüß-]{1,60}(?:\s(?:am|an der|im|"
    r"bei)\s[A-ZÄÖÜ][\wäöüß]+)?)?"
)
_POSTCODE_TOWN = re.compile(r"(?<![\w.,-])(?:D-|A-|CH-)\d{4,5}\s[A-ZÄÖÜ][\wäöüß-]{1,60}")
_KIND_CYR = (
    r"(?:вул(?:иц[яіюею]+|\.)|просп(?:ект\w*|\.)|пр-т\.?|пр(?:\.|-кт)|бульв(?:ар\w*|\.)|б-р\.?|"
    r"пров(?:улок\w*|\.)|"
    r"пл(?:оща|ощі|ощадь|ощади|\.)|шосе|наб(?:ережн\w*|\.)|майдан\w*|узвіз|мікрорайон|мкр(?:-н|"
    r"\.)?|"
    r"ул(?:иц[аеуы]|ицей|\.)|пер(?:еул\w*|\.)|шоссе|тупик|проезд|квартал|ж/м)"
)
_WORD_CYR = r"[^\W\d_][\w'’ʼ.-]{0,60}"
_TOWN_CYR = (
    r"(?:(?:м\.|г\.|город|місто|село|смт|с\.|пос\.|пгт\.?|ст\.)\s?"
    r"[А-ЯІЇЄҐЁ][\w'’ʼ-]{1,60}(?:\s[А-ЯІЇЄҐЁ][\w'’ʼ-]{1,60})?)"
)
_HOUSE = (
    r"(?:(?:буд(?:инок|\.)?|д(?:ом|\.)?|№|корп\.?|к\.|стр\.?)\s?){0,2}"
    r"\d{1,4}(?:\s?[-/]\s?\d{1,4})?(?:\s?[а-яіїєa-z](?!\w))?"
)
_FLAT = (
    r"(?:,?\s?(?:кв(?:артира|\.)?|оф(?:іс|ис|\.)?|під['’]?їзд|подъезд|корпус|корп\.?|поверх|этаж)"
    r"\s?№?\s?\d{1,4})"
)
_BARE_TOWN = r"(?:[А-ЯІЇЄҐЁ][\w'’ʼ-]{1,60}(?:\s(?:обл(?:\.|асть)|р-н|район)\w*)?)"
_CYRILLIC = re.compile(
    rf"(?<!\w)(?:\d{{5,6}},?\s)?(?:{_TOWN_CYR},?\s|{_BARE_TOWN},\s)?{_KIND_CYR}\s?"
    rf"(?:\d{{1,3}}(?:-?(?:го|й|я|ї|ої|ша|га|"
    rf"та))?\s)?{_WORD_CYR}(?:\s{_WORD_CYR}){{0,2}},?\s{_HOUSE}{_FLAT}{{0,3}}"
    rf"(?:,\s(?:{_TOWN_CYR}|{_BARE_TOWN}))?(?:,\s\d{{5,6}}(?!\d))?",
    re.IGNORECASE,
)
_ROMANCE = re.compile(
    r"(?<![\w.,:/#-])(?:\d{1,4},?\s(?:bis\s|ter\s)?)?(?:[Rr]ue|[Aa]venue|[Bb]oulevard|"
    r"Place|[Cc]hemin|[Ii]mpasse|[Cc]alle|[Aa]venida|Plaza|Paseo|Via|Viale|[Pp]iazza|Corso|"
    r"Rua|[Pp]raça|[Uu]lica|ul\.|al\.)\s(?:(?:de|du|des|del|della|di|da|do|la|le|les|l'|el|los|las|et)\s)*"
    rf"{_CAP}(?:\s(?:(?:de|du|des|del|la|le)\s)?{_CAP}){{0,3}}(?:,?\s\d{{1,4}}\w?(?!\w))?"
    rf"(?:,?\s\d{{5}}\s{_CAP})?"
)
_POSTCODE_LINE = re.compile(
    r"(?<![\w-])(?!Adresse|Anschrift)(?:[A-ZÄÖÜ][\wäöüß.-]{1,60}\s){1,4}\d{1,4}\s?[a-z]?,?\s{1,2}"
    r"(?:D-|A-|CH-)?\d{5}\s[A-ZÄÖÜ][\wäöüß-]{1,60}"
)
"""Words, a house number, a postcode and a town, whatever the street is called."""

_ANNOUNCED = re.compile(
    r"(?:\b(?:address(?: is|:)|live(?:s)? (?:at|on)|ship (?:it |this )?to|deliver(?:ed)? to|"
    r"send (?:it |this )?to|"
    r"wohn(?:e|haft) (?:in|an|am)|anschrift(?: ist|:)|adresse(?: ist|:)|lieferadresse:?|"
    r"адрес\w*:|за адресою:?|по адресу:?|проживаю|мешкаю|живу на))\s{0,3}",
    re.IGNORECASE,
)
_ANYTHING_NUMBERED = re.compile(
    rf"(?:\d{{1,5}}[a-zA-Z]?,?\s(?:{_CAP}[ ,]{{1,2}}){{0,4}}{_CAP}|"
    rf"{_CAP}(?:[ ]{_CAP}){{0,3}},?\s\d{{1,5}}[a-zA-Z]?(?!\w))"
    rf"(?:[ ,\n]{{1,3}}(?:{_UNIT_EN}|{_CAP}|\d{{3,6}}(?!\w))){{0,6}}"
)
_ROMANCE_KINDS = (
    *("rue", "ave", "boul", "plac", "chem", "imp", "call", "plaz", "pase", "via", "piaz"),
    *("corso", "rua", "praç", "ulica", "ul.", "al."),
)
_STREETS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (_ENGLISH, ()),
    (_BOX, ("box", "psc", "postfach", "а/с", "скринька", "п/с")),
    (_NUMBERED_UNIT, ("flat", "ap", "suite", "ste", "unit", "room", "floor", "bui", "bldg", "#")),
    (_GERMAN, ("stra", "str", "weg", "platz", "alle", "gasse", "damm", "ufer", "chaus", "stieg")),
    (_POSTCODE_LINE, ()),
    (_POSTCODE_TOWN, ("d-", "a-", "ch-")),
    (_CYRILLIC, tuple("аеиоіу")),
    (_ROMANCE, _ROMANCE_KINDS),
)
"""Each pattern with beginnings of words without which it is not worth trying; none: always."""

_DIGIT = re.compile(r"(?<![^\W\d])\d")


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


def _span(match: re.Match[str], why: str) -> Span:
    value = match.group().rstrip(" ,.\n")
    return Span(match.start(), match.start() + len(value), "ADDRESS", value, why)
