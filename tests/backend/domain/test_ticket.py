"""Tickets: what is refused, what counts as the same."""

from __future__ import annotations

import pytest

from backend.domain.errors import BadInput, EmptyTicket, TooLarge
from backend.domain.ticket import MAX_TICKET_BYTES, Ticket


@pytest.mark.parametrize("text", ["", " ", "\n\t\r", "…!?", "---", "🎈", "\u200b\ufeff", "\x00"])
def test_a_ticket_without_a_letter_or_digit_is_empty(text: str) -> None:
    with pytest.raises(EmptyTicket, match="paste the question"):
        Ticket(text=text)


@pytest.mark.parametrize("text", ["a", "7", "ї", "?!x", "質問", "مرحبا"])
def test_one_letter_of_any_script_is_enough(text: str) -> None:
    assert Ticket(text=text).question == text


def test_a_subject_alone_is_enough() -> None:
    assert Ticket(text="", subject=" Help ").question == "Help"


@pytest.mark.parametrize(
    ("subject", "text", "question"),
    [("S", "t", "S\n\nt"), ("", " t\n", "t"), (" S ", "\n t ", "S\n\nt"), ("S", " ", "S")],
)
def test_the_question_is_subject_and_text(subject: str, text: str, question: str) -> None:
    assert Ticket(text=text, subject=subject).question == question


def test_size_is_counted_in_bytes_of_subject_and_text_together() -> None:
    half = "ї" * (MAX_TICKET_BYTES // 4)
    Ticket(text=half, subject=half)

    with pytest.raises(TooLarge, match="256,001 bytes; 256,000 are accepted"):
        Ticket(text=half + "x", subject=half)


@pytest.mark.parametrize("field", ["text", "subject", "external_id", "language", "contact"])
def test_half_a_character_is_refused(field: str) -> None:
    with pytest.raises(BadInput, match="half of a character"):
        Ticket(**{"text": "a", field: "a\ud83d"})


def fingerprint(text: str, **more: str) -> str:
    return Ticket(text=text, **more).fingerprint


@pytest.mark.parametrize("same", ["a  b", "a\nb", " a b ", "a\u00a0b"])
def test_white_space_makes_no_difference(same: str) -> None:
    assert fingerprint(same) == fingerprint("a b")


def test_two_ways_to_write_one_letter_make_no_difference() -> None:
    assert fingerprint("caf\u00e9") == fingerprint("cafe\u0301")


def test_neither_language_nor_contact_makes_a_difference() -> None:
    assert fingerprint("a", language="en", contact="x@example.com") == fingerprint("a")


def test_other_words_or_another_ticket_make_a_difference() -> None:
    found = {
        fingerprint("a b"),
        fingerprint("A b"),
        fingerprint("ab"),
        fingerprint("a b", external_id="1"),
        fingerprint("a b", external_id="2"),
    }

    assert len(found) == 5
