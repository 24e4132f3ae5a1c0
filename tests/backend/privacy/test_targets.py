"""What has to be found on the labelled texts, and what must not: the numbers of docs/privacy.md."""

from __future__ import annotations

import functools

import pytest

from backend.privacy.detect import find
from scripts.bench.privacy_scores import ALL, Score, score
from scripts.bench.privacy_sets import Row, read_sets
from tests.shared_sets import SHARED, on_shared_sets

pytestmark = on_shared_sets
LEAST = {"EMAIL": 0.99, "CARD": 0.99, "IBAN": 0.99, "IP": 0.99, "PHONE": 0.95, "ORDER_ID": 0.95}


@functools.cache
def rows() -> list[Row]:
    return read_sets(SHARED / "pii", "all")


@functools.cache
def scores(contact: bool) -> dict[str, Score]:
    found = score(rows(), find, contact=contact)
    return {label: one for (name, _, label), one in found.items() if name == ALL}


@pytest.mark.parametrize(("label", "least"), LEAST.items())
def test_what_has_a_form_is_found(label: str, least: float) -> None:
    one = scores(False)[label]

    assert one.asked > 50
    assert (one.recall or 0) >= least, one.missed[:5]
    assert (one.precision or 0) >= 0.95, one.mistaken[:5]


@pytest.mark.parametrize(("contact", "least"), [(True, 0.85), (False, 0.70)])
def test_people_are_found_better_where_the_ticket_names_its_contact(
    contact: bool, least: float
) -> None:
    one = scores(contact)["NAME"]

    assert one.asked > 1000
    assert (one.recall or 0) >= least


def test_texts_full_of_versions_prices_and_codes_stay_as_they_are() -> None:
    empty = [row.text for row in rows() if not row.labelled]

    assert len(empty) > 100
    assert [text for text in empty if find(text)] == []
