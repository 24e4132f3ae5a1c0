"""Polish personal data: what one file of words does; nothing in the code knows Polish."""

from __future__ import annotations

import pytest

from backend.privacy import Label
from backend.privacy.detect import find, regions_of

FOUND: list[tuple[str, Label, str]] = [
    ("nazywam się grażyna", "NAME", "grażyna"),
    ("Szanowny Panie Kowalski,", "NAME", "Kowalski"),
    ("Proszę o kontakt z Panią Wiśniewską.", "NAME", "Wiśniewską"),
    ("Mam na imię Rubija", "NAME", "Rubija"),
    ("numer pesel-u to 44051401359", "TAX_ID", "44051401359"),
    ("REGON 012100784", "TAX_ID", "012100784"),
    ("zamówienie nr 5512887 nie dotarło", "ORDER_ID", "5512887"),
    ("Zamówienia numer 44-1020", "ORDER_ID", "44-1020"),
    ("gdzie jest przesyłka 00359007738493012345", "ORDER_ID", "00359007738493012345"),
    ("numer klienta: 100482", "CUSTOMER_ID", "100482"),
    ("dowód osobisty ABS123456", "PASSPORT", "ABS123456"),
    ("paszport nr EA1234567", "PASSPORT", "EA1234567"),
    ("urodzona 4 marca 1984", "DATE_OF_BIRTH", "4 marca 1984"),
    ("loguję się jako anna_w84", "USERNAME", "anna_w84"),
    ("hasło: Slonce123", "SECRET", "Slonce123"),
    ("kod SMS to 482913", "SECRET", "482913"),
    ("nr telefonu 601 234 567", "PHONE", "601 234 567"),
    ("karta 2200 1234 5678 9010", "CARD", "2200 1234 5678 9010"),
    (
        "mieszkam: ul. Marszałkowska 10/12 m. 5, 00-590 Warszawa",
        "ADDRESS",
        "ul. Marszałkowska 10/12 m. 5, 00-590 Warszawa",
    ),
    ("pl. Wolności 7, 61-738 Poznań", "ADDRESS", "pl. Wolności 7, 61-738 Poznań"),
    ("anna (małpa) firma (kropka) example", "EMAIL", "anna (małpa) firma (kropka) example"),
]
STAYS = [
    "Hasło jest nieprawidłowe, proszę o pomoc.",
    "Błąd 0x80070005, wersja 12.4.1.0, port 993, rozmiar 26214400 bajtów.",
    "Faktura przyszła w poniedziałek, zamówienie z 12 marca nie. Cena 1299,00 zł.",
    "Proszę otworzyć Ustawienia, potem Konto i kliknąć Zapisz.",
]


@pytest.mark.parametrize(("text", "label", "value"), FOUND, ids=[value for _, _, value in FOUND])
def test_personal_data_is_found_with_its_label(text: str, label: Label, value: str) -> None:
    assert (label, value) in [(span.label, span.value) for span in find(text)]


@pytest.mark.parametrize("text", STAYS)
def test_versions_prices_codes_and_menus_stay(text: str) -> None:
    assert find(text) == []


def test_a_polish_text_has_polish_telephone_numbers() -> None:
    assert regions_of("Proszę o telefon")[0] == "PL"
    assert regions_of("Please call", "pl")[0] == "PL"
    assert regions_of("Please call", "en")[0] == "US"


def test_a_count_of_tokens_is_nobody_s_secret() -> None:
    assert find('{"event": "candidate_done", "tokens": 1167}') == []
