"""Polish mails: what one file of words does; nothing in the code knows Polish."""

from __future__ import annotations

import pytest

from backend.intake.mail import is_automatic, own_words, plain_subject
from backend.intake.pairs import is_pleasantry, is_question_back, is_satisfied, points_elsewhere
from backend.intake.raw_records import redacted
from tests.backend.intake.test_refining import ANA, ticket

OWN = "Nadal widzę błąd 5.\n\nCo mam zrobić?"
BELOW = [
    "Dnia 3 czerwca 2024 10:02 Jan Kowalski <jan@acme.example> napisał(a):\n\nProszę otworzyć",
    "pon., 3 cze 2024 o 10:02 Jan Kowalski <jan@acme.example> napisał(a):\n\nProszę otworzyć",
    "W dniu 3.06.2024 o 10:02, Jan Kowalski pisze:\n> Proszę",
    "Od: Jan Kowalski <jan@acme.example>\nWysłane: poniedziałek\nDo: Ana\nTemat: Login\n\nProszę",
    "-----Oryginalna wiadomość-----\nproszę",
    "Pozdrawiam serdecznie,\nAnna Nowak",
    "Z wyrazami szacunku,\nAnna Nowak\nKsięgowość\nTel. 22 123 45 67",
    "Z góry dziękuję,\nAnna",
    "Wysłano z iPhone'a",
    "Wysłane z telefonu Samsung",
    "Ta wiadomość jest poufna i przeznaczona wyłącznie dla adresata. Jeśli nie są Państwo "
    "adresatem, prosimy ją usunąć.",
]


@pytest.mark.parametrize("below", BELOW, ids=lambda text: text[:24])
def test_quoted_mails_signatures_and_legal_notes_go(below: str) -> None:
    assert own_words(f"{OWN}\n\n{below}") == OWN


def test_a_forwarded_mail_is_what_the_writer_asks_about() -> None:
    header = "Od: X <x@y.example>\nDo: ja\nTemat: hasło"

    text = f"Patrz niżej\n\n---------- Przekazana wiadomość ---------\n{header}\n\nNie działa"

    assert own_words(text) == "Patrz niżej\n\nNie działa"


@pytest.mark.parametrize("mark", ["Odp", "Odp.", "PD"])
def test_subjects_lose_their_marks(mark: str) -> None:
    assert plain_subject(f"{mark}: Logowanie") == "Logowanie"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Automatyczna odpowiedź: Logowanie", ""),
        ("Poza biurem: urlop", ""),
        ("Logowanie", "Jestem obecnie na urlopie do 5 maja."),
        ("Logowanie", "Państwa zgłoszenie zostało przyjęte, numer 5."),
    ],
)
def test_machines_are_known(subject: str, text: str) -> None:
    assert is_automatic(subject, text)


def test_people_are_no_machines() -> None:
    assert not is_automatic("Logowanie", "Jak ustawić automatyczną odpowiedź? Byłem na urlopie.")


def test_what_a_message_does() -> None:
    assert is_question_back("Proszę przesłać zrzut ekranu.")
    assert not is_question_back("Otwórz ustawienia, a potem kliknij Resetuj.")
    assert is_satisfied("Dzięki, pomogło")
    assert not is_satisfied("Dziękuję, ale nadal nie działa")
    assert is_pleasantry("Nie ma za co, miłego dnia!")
    assert points_elsewhere("To zgłoszenie jest duplikatem.")


def test_a_greeting_by_an_unknown_name_loses_it() -> None:
    answer = redacted(ticket("Nie działa.", "Witam Anastasia,\notwórz ustawienia."), ANA).answer

    assert answer == "Witam,\notwórz ustawienia."
