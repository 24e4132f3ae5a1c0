"""Texts that somebody made to be slow, or that a log made so: each is done in time."""

from __future__ import annotations

import time

import pytest

from backend.privacy.detect import warm_up
from backend.privacy.lexicon import gazetteer
from backend.privacy.placeholders import Placeholders

CHARACTERS = 60_000
SECONDS = 4.0
"""The slowest takes a second; growing with the square of the length, each took over 6 s."""


def surnames(count: int) -> list[str]:
    """Surnames that are no ordinary words."""
    lists = gazetteer()
    found = (name for name in lists.kinds if lists.is_last(name) and not lists.is_word(name))
    return [name.capitalize() for name, _ in zip(found, range(count), strict=False)]


def test_a_list_of_thousands_of_people_is_numbered_in_time() -> None:
    warm_up()
    people = [f"I met Anna-{name} {name} there" for name in surnames(2_000)]
    began = time.thread_time()

    redacted = Placeholders().redact(". ".join(people))

    assert "[NAME_1500]" in redacted
    assert time.thread_time() - began < SECONDS


@pytest.mark.parametrize("unit", ["code 12345\n", "номер12-го", "AB12буд.str.", "PSC4111"])
def test_what_repeats_without_end_is_redacted_in_time(unit: str) -> None:
    warm_up()
    text = (unit * CHARACTERS)[:CHARACTERS]
    began = time.thread_time()

    Placeholders().redact(text)

    assert time.thread_time() - began < SECONDS
