"""A solved ticket loses whom it is about, and keeps what it says."""

from __future__ import annotations

import pytest

from backend.domain.passage import SolvedTicket
from backend.intake.raw_records import pseudonym, redacted
from backend.privacy.detect.known import Known

ANA = Known(names=("Anastasia Dias",), emails=("office@customer.example",))


def ticket(question: str, answer: str) -> SolvedTicket:
    return SolvedTicket(id="1", subject="Login", question=question, answer=answer)


def test_one_value_has_one_placeholder_in_question_and_answer() -> None:
    asked = "I am Anastasia Dias, write to office@customer.example."
    answer = "Dear Anastasia, we wrote to office@customer.example."

    found = redacted(ticket(asked, answer), ANA)

    assert found.question == "I am [NAME_1], write to [EMAIL_1]."
    assert found.answer == "Dear [NAME_1], we wrote to [EMAIL_1]."


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("Hello Anastasia,\nopen Settings.", "Hello,\nopen Settings."),
        ("Hi, Anastasia! Open Settings.", "Hi! Open Settings."),
        ("Dear Anastasia Dias,\n\nOpen it.", "Open it."),
        ("Добрий день, Anastasia!\nОсь лист.", "Добрий день!\nОсь лист."),
        ("Open Settings, Anastasia.", "Open Settings, [NAME_1]."),
    ],
)
def test_a_greeting_by_a_name_that_the_question_does_not_tell_loses_it(
    answer: str, kept: str
) -> None:
    assert redacted(ticket("I cannot log in.", answer), ANA).answer == kept


def test_redacting_again_changes_nothing() -> None:
    once = redacted(ticket("I am Anastasia Dias.", "Hello Anastasia, see [EMAIL]."), ANA)

    assert redacted(once, ANA) == once
    assert redacted(once) == once


def test_customers_have_pseudonyms() -> None:
    assert pseudonym("") == ""
    assert len({pseudonym("a"), pseudonym("b"), "a", "b"}) == 4
    assert pseudonym("a") == pseudonym("a")
