"""The map of one ticket: numbering, restoring, what it does not know, and what it never gives."""

from __future__ import annotations

import itertools
import pickle
import string
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.privacy import LABELS, generic, without_half
from backend.privacy.detect import find
from backend.privacy.detect.known import Known
from backend.privacy.placeholders import Placeholders

VALUES = [
    "olena.koval@example.org",
    "+380 50 123 45 67",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "93.184.216.34",
    "[EMAIL]",
    "[NAME_1]",
    "[PHONE_2]",
    "My name is Olena Koval.",
    "замовлення № 44-1020",
    "Thunderbird 115.3.1",
    "\n",
    " ",
]
ANY_TEXT = st.lists(
    st.sampled_from(VALUES) | st.text(max_size=20) | st.text(string.printable, max_size=20),
    max_size=12,
).map("".join)


@given(ANY_TEXT)
@settings(deadline=None, max_examples=300)
def test_what_was_redacted_comes_back_to_the_letter(text: str) -> None:
    placeholders = Placeholders()

    assert placeholders.restore(placeholders.redact(text)) == text


@given(ANY_TEXT)
@settings(deadline=None, max_examples=300)
def test_redacting_twice_changes_nothing(text: str) -> None:
    placeholders = Placeholders()
    once = placeholders.redact(text)

    assert placeholders.redact(once) == once


@given(ANY_TEXT)
@settings(deadline=None, max_examples=200)
def test_finds_are_in_order_and_where_they_say(text: str) -> None:
    spans = find(text)

    assert [text[span.start : span.end] for span in spans] == [span.value for span in spans]
    assert all(span.end <= after.start for span, after in itertools.pairwise(spans))
    assert {span.label for span in spans} <= set(LABELS)


@given(st.lists(st.integers(0, 9999), min_size=2, max_size=12, unique=True))
@settings(deadline=None, max_examples=30)
def test_tickets_at_the_same_time_never_swap_their_maps(numbers: list[int]) -> None:
    def answer(number: int) -> str:
        placeholders = Placeholders(Known(emails=(f"customer{number}@example.org",)))
        redacted = placeholders.redact(f"Write to customer{number}@example.org, ticket text.")
        assert redacted == "Write to [EMAIL_1], ticket text."
        return placeholders.restore("I have written to [EMAIL_1].")

    with ThreadPoolExecutor(max_workers=8) as pool:
        replies = list(pool.map(answer, numbers))

    assert replies == [f"I have written to customer{number}@example.org." for number in numbers]


def test_the_same_value_has_the_same_number_in_every_text_of_a_ticket() -> None:
    placeholders = Placeholders()

    first = placeholders.redact("a@example.org and b@example.org, card 4111 1111 1111 1111")
    second = placeholders.redact("b@example.org again; 4111-1111-1111-1111")

    assert first == "[EMAIL_1] and [EMAIL_2], card [CARD_1]"
    assert second == "[EMAIL_2] again; [CARD_1]"


def test_forms_of_one_name_are_one_person() -> None:
    placeholders = Placeholders(Known(names=("Олена Коваленко",)))

    redacted = placeholders.redact("Лист для Олени Коваленко. Kovalenko Olena просить відповіді.")

    assert redacted == "Лист для [NAME_1]. [NAME_1] просить відповіді."
    assert placeholders.restore("Вітаю, [NAME_1]!") == "Вітаю, Олена Коваленко!"


def test_numbers_that_stand_in_a_text_are_not_given_again() -> None:
    placeholders = Placeholders()

    redacted = placeholders.redact("[EMAIL_1] wrote to a@example.org")

    assert redacted == "[EMAIL_1] wrote to [EMAIL_2]"
    assert placeholders.unresolved("[EMAIL_2] [EMAIL_1] [NAME] [NOTE_1] [EMAIL_1]") == (
        "[EMAIL_1]",
        "[NAME]",
    )


def test_a_generic_placeholder_is_never_restored() -> None:
    placeholders = Placeholders()
    placeholders.redact("a@example.org")

    passage = generic("Ask [NAME_12] at [EMAIL_1] or [EMAIL]")

    assert passage == "Ask [NAME] at [EMAIL] or [EMAIL]"
    assert placeholders.restore(passage) == passage


def test_a_placeholder_that_still_grows_is_held_back() -> None:
    whole = "Dear [NAME_1], see [1] and [EMAIL_2]!"

    shown = [without_half(whole[:end]) for end in range(len(whole) + 1)]

    assert all(whole.startswith(text) for text in shown)
    assert not any(text.endswith(("[NAM", "[NAME_1", "[EMAIL_", "[")) for text in shown)
    assert shown[-1] == whole
    assert "Dear [NAME_1], see [1]" in shown


def test_a_map_neither_shows_nor_pickles_its_values() -> None:
    placeholders = Placeholders(Known(emails=("a@example.org",)))
    placeholders.redact("a@example.org")

    assert "example" not in repr(placeholders)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(placeholders)


def test_web_views_load_no_recogniser_with_the_labels() -> None:
    program = (
        "import sys\nfrom backend.privacy import placeholders_in\n"
        "print(*(name for name in sys.modules if name.startswith('backend.privacy')))\n"
        "assert not {'stdnum', 'phonenumbers', 'pymorphy3'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert set(done.stdout.split()) == {"backend.privacy"}, done.stderr
