"""Suggestions in the store: equal requests share one, and orders are balanced over the clicks."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.errors import (
    BadInput,
    NoModel,
    QueueFull,
    UnknownCandidate,
    UnknownModel,
    UnknownSuggestion,
    UnusableModel,
)
from backend.domain.suggestion import LABELS
from backend.domain.ticket import Ticket
from backend.services.suggesting import Ask, cancel_suggestion, place, suggest
from backend.settings import SuggestSettings
from backend.store import queue
from backend.store.models import Model, add_model, set_active
from backend.store.queue import Usage
from backend.store.suggestions import (
    Suggestion,
    revision,
    same_request,
    suggestion,
    suggestion_of,
)
from tests.backend.candidates import add_models

SETTINGS = SuggestSettings()
NAMES = ["one", "two", "three", "four"]
TICKET = Ticket(text="Where is my invoice?")


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    add_models(NAMES, db=db)


def click(
    db: Database, *models: str, ticket: Ticket = TICKET, steering: str = "", fresh: bool = False
) -> Suggestion:
    ask = Ask(ticket, steering=steering, models=models or tuple(NAMES[:3]), fresh=fresh)
    return suggest(ask, settings=SETTINGS, db=db)


def end_all(db: Database, states: str) -> None:
    for state in states.split():
        work = queue.claim(NAMES, lease_seconds=30, db=db)
        assert work
        if state == "done":
            queue.finish(work, "Done.", "stop", Usage(), db=db)
        else:
            queue.fail(work, "EngineRefused", "No.", db=db)


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
    names = NAMES[:size]

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


def test_the_newest_active_models_answer_as_many_as_the_settings_say(db: Database) -> None:
    for name in NAMES:
        set_active(name, True, db=db)

    def names(settings: SuggestSettings) -> set[str]:
        found = suggest(Ask(TICKET), settings=settings, db=db)
        return {one.model for one in found.candidates}

    assert len(names(SETTINGS)) == 3
    assert len(names(SuggestSettings(count=2))) == 2
    assert names(SuggestSettings(models=("one", "four"))) == {"one", "four"}


def test_a_model_named_twice_answers_once(db: Database) -> None:
    assert len(click(db, "one", "one").candidates) == 1


def test_six_models_have_letters_and_seven_are_refused_as_a_whole(db: Database) -> None:
    names = [f"m{number}" for number in range(7)]
    add_models(names, db=db)

    assert "".join(one.label for one in click(db, *names[:6]).candidates) == LABELS
    with pytest.raises(BadInput, match="1 to 6"):
        click(db, *names)
    assert db.table("suggestions").count == 1


def test_without_an_active_model_nobody_can_answer(db: Database) -> None:
    with pytest.raises(NoModel, match="models add"):
        suggest(Ask(TICKET), settings=SETTINGS, db=db)


def test_unknown_models_are_refused(db: Database) -> None:
    with pytest.raises(UnknownModel, match="There is no model 'five'"):
        click(db, "one", "five")


def test_a_gguf_that_is_not_active_is_not_waited_for(db: Database) -> None:
    add_model(Model(name="idle", kind="gguf", path="/none.gguf"), db=db)

    with pytest.raises(UnusableModel, match="models activate idle"):
        click(db, "idle")


def test_a_full_queue_says_when_to_come_again_and_keeps_nothing(db: Database) -> None:
    settings = SuggestSettings(queue_limit=4)
    suggest(Ask(TICKET, models=("one", "two", "three")), settings=settings, db=db)

    with pytest.raises(QueueFull, match="3 replies are waiting") as error:
        suggest(Ask(Ticket(text="x"), models=("one", "two")), settings=settings, db=db)

    assert error.value.retry_after_seconds > 0
    assert db.table("tickets").count == db.table("suggestions").count == 1
    suggest(Ask(Ticket(text="x"), models=("one",)), settings=settings, db=db)


def test_an_equal_click_finds_its_suggestion_though_the_queue_is_full(db: Database) -> None:
    settings = SuggestSettings(queue_limit=3)
    ask = Ask(TICKET, models=("one", "two", "three"))

    assert suggest(ask, settings=settings, db=db).id == suggest(ask, settings=settings, db=db).id


def test_a_click_on_what_was_prepared_hurries_it(db: Database) -> None:
    models = ("one", "two")
    suggest(Ask(TICKET, models=models, prefer="background"), settings=SETTINGS, db=db)

    suggest(Ask(TICKET, models=models), settings=SETTINGS, db=db)

    assert {row["priority"] for row in db.query("SELECT priority FROM candidates")} == {0}


def test_a_long_wish_is_refused() -> None:
    Ask(TICKET, steering="x" * 500)

    with pytest.raises(BadInput, match="501 characters; 500 fit"):
        Ask(TICKET, steering="x" * 501)


def test_a_place_in_the_queue_is_measured_not_invented(db: Database) -> None:
    first = click(db, "one")
    time.sleep(0.002)  # times are kept to the millisecond
    second = click(db, "one", ticket=Ticket(text="other"))
    assert place(second, slots=1, db=db).ahead == 1
    assert place(second, slots=1, db=db).seconds is None
    end_all(db, "done")

    measured = place(second, slots=1, db=db)
    assert measured.ahead == 0
    assert measured.seconds == pytest.approx(0, abs=0.5)
    assert place(suggestion(first.id, db=db), slots=1, db=db).seconds is None


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
