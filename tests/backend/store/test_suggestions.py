"""Suggestions in the store: equal requests share one, and orders are balanced over the clicks."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.errors import UnknownCandidate, UnknownSuggestion
from backend.domain.ticket import Ticket
from backend.services.suggest import Ask, cancel_suggestion, suggest
from backend.settings import SuggestSettings
from backend.store.suggestions import revision, same_request, suggestion, suggestion_of
from tests.backend.asking import MODELS, TICKET, click, end_all
from tests.backend.candidates import add_models


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    add_models(MODELS, db=db)


def test_a_click_gives_each_model_a_letter_in_order(db: Database) -> None:
    found = click(db)

    assert [one.label for one in found.candidates] == ["A", "B", "C"]
    assert sorted(one.model for one in found.candidates) == ["one", "three", "two"]
    assert {one.state for one in found.candidates} == {"queued"}


def test_an_equal_click_is_the_same_suggestion(db: Database) -> None:
    first = click(db, "one", "two")

    same = Ticket(text=" Where  is my invoice?\n", contact="x@example.com")
    assert click(db, "two", "one", ticket=same).id == first.id
    assert db.table("tickets").count == 1
    assert db.table("candidates").count == 2


def test_another_wish_other_models_or_another_ticket_is_another_suggestion(db: Database) -> None:
    found = [
        click(db),
        click(db, steering="short"),
        click(db, "one"),
        click(db, ticket=Ticket(text=TICKET.text, external_id="7")),
        click(db, ticket=Ticket(text="Where are my invoices?")),
    ]

    assert len({one.id for one in found}) == len(found)
    assert click(db, steering=" short ").id == found[1].id


def test_parts_of_a_request_cannot_be_mistaken_for_each_other() -> None:
    assert same_request(TICKET, "", ["a", "b"]) != same_request(TICKET, "a", ["b"])
    assert same_request(TICKET, "a b", ["c"]) == same_request(TICKET, " a  b ", ["c"])


@pytest.mark.parametrize(
    ("states", "same"),
    [("done done done", True), ("failed done failed", True), ("failed failed failed", False)],
)
def test_only_a_suggestion_that_is_of_use_is_given_again(
    db: Database, states: str, same: bool
) -> None:
    first = click(db)
    end_all(db, states)

    assert (click(db).id == first.id) == same


def test_after_a_cancelled_one_a_click_is_new_even_if_a_part_was_done(db: Database) -> None:
    first = click(db)
    end_all(db, "done")
    cancelled = cancel_suggestion(first.id, db=db)
    assert Counter(one.state for one in cancelled.candidates) == {"done": 1, "cancelled": 2}

    assert click(db).id != first.id


def test_a_fresh_one_is_new_and_then_the_one_that_is_shared(db: Database) -> None:
    first = click(db)

    fresh = click(db, fresh=True)

    assert fresh.id != first.id
    assert click(db).id == fresh.id


@pytest.mark.parametrize(("size", "turns"), [(1, 2), (2, 4), (3, 6), (4, 24)])
def test_each_order_comes_equally_often(db: Database, size: int, turns: int) -> None:
    names = MODELS[:size]

    orders: Counter[tuple[str, ...]] = Counter()
    for turn in range(turns):
        found = suggest(
            Ask(Ticket(text=f"q{turn}"), models=tuple(names)),
            settings=SuggestSettings(queue_limit=1000),
            db=db,
        )
        orders[tuple(one.model for one in found.candidates)] += 1
        if turn % 3 == 0:  # other models' clicks in between do not disturb the balance
            click(db, "four" if size < 4 else "one", ticket=Ticket(text=f"other {turn}"))
            cancel_suggestion(found.id, db=db)

    assert orders.keys() == set(itertools.permutations(names))
    assert len(set(orders.values())) == 1


def test_what_is_not_there_is_said_so(db: Database, tmp_path: Path) -> None:
    for read in (suggestion, revision, cancel_suggestion):
        with pytest.raises(UnknownSuggestion):
            read("none", db=db)
    with pytest.raises(UnknownCandidate):
        suggestion_of("none", db=db)
    assert not db.conn.in_transaction


def test_a_candidate_knows_its_suggestion(db: Database) -> None:
    found = click(db)

    assert suggestion_of(found.candidates[1].id, db=db) == found.id
    assert revision(found.id, db=db) == found.revision
