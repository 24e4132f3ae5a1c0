"""Who answers a click, who is refused, and what a full queue says."""

from __future__ import annotations

import time

import pytest
from sqlite_utils import Database

from backend.domain.errors import BadInput, NoModel, QueueFull, UnknownModel, UnusableModel
from backend.domain.suggestion import LABELS, Suggestion
from backend.domain.ticket import Ticket
from backend.services.suggest import Ask, Place, place, suggest
from backend.settings import SuggestSettings
from backend.store.models import Model, active_models, add_model, set_active
from backend.store.suggestions import suggestion
from backend.system.database import transaction
from tests.backend.asking import MODELS, SETTINGS, TICKET, click, end_all
from tests.backend.candidates import add_candidates, add_models, suggestion_of


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    add_models(MODELS, db=db)


def test_the_newest_active_models_answer_as_many_as_the_settings_say(db: Database) -> None:
    for name in MODELS:
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
    for name in active_models(db):
        set_active(name, False, db=db)

    with pytest.raises(NoModel, match="models add"):
        suggest(Ask(TICKET), settings=SETTINGS, db=db)


def test_unknown_models_are_refused(db: Database) -> None:
    with pytest.raises(UnknownModel, match="There is no model 'five'"):
        click(db, "one", "five")


def test_a_gguf_that_is_not_active_is_not_waited_for(db: Database) -> None:
    add_model(Model(name="idle", kind="gguf", path="/none.gguf"), db=db)

    with pytest.raises(UnusableModel, match="models activate idle"):
        click(db, "idle")


def test_what_is_only_prepared_fills_half_of_the_queue_and_leaves_the_rest_to_people(
    db: Database,
) -> None:
    settings = SuggestSettings(queue_limit=4)

    def prepare(text: str) -> Suggestion:
        ask = Ask(Ticket(text=text), models=("one",), prefer="background")
        return suggest(ask, settings=settings, db=db)

    prepare("a")
    prepare("b")
    with pytest.raises(QueueFull, match="2 are the limit"):
        prepare("c")

    assert suggest(Ask(TICKET, models=("one", "two")), settings=settings, db=db).candidates


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


def test_the_estimate_grows_with_who_is_ahead_and_shrinks_with_slots(db: Database) -> None:
    measured = add_candidates(["one", "two"], db=db)
    with transaction(db):
        for model, seconds in (("one", 4), ("two", 10)):
            db.execute(
                "UPDATE candidates SET claimed = '2026-01-01T00:00:00.000Z', finished = ? "
                "WHERE id = ?",
                [f"2026-01-01T00:00:{seconds:02}.000Z", measured[model]],
            )
    for number in range(3):
        asked = click(db, "one", "two", ticket=Ticket(text=f"query {number}"))
        time.sleep(0.002)

    waits = place(asked, slots=1, db=db)
    assert waits.ahead == 4
    assert waits.seconds == pytest.approx(10 * (1 + 4 / 2), abs=0.01)
    assert place(asked, slots=4, db=db).seconds == pytest.approx(10 * (1 + 4 / 8), abs=0.01)
    done = suggestion(suggestion_of(measured["one"], db=db), db=db)
    assert place(done, slots=1, db=db) == Place(ahead=0, seconds=None)
