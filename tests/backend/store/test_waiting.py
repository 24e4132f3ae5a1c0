"""The queue: who comes first, who waits how long, what is given up."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlite_utils import Database

from backend.domain.suggestion import Prefer
from backend.domain.ticket import Ticket
from backend.store import queue
from backend.store.queue import Usage, Work
from backend.store.suggestions import add_suggestion, cancel, hurry, suggestion
from backend.system.database import transaction
from tests.backend.candidates import add_models

LEASE = 30.0


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    add_models(["one", "two"], db=db)


def ask(db: Database, text: str, *models: str, prefer: Prefer = "now") -> str:
    time.sleep(0.002)  # times are kept to the millisecond
    with transaction(db):
        return add_suggestion(
            Ticket(text=text), models or ["one"], steering="", prefer=prefer, db=db
        )


def claim(db: Database, *models: str) -> Work | None:
    return queue.claim(models or ["one", "two"], lease_seconds=LEASE, db=db)


def order(db: Database) -> list[str]:
    texts = []
    while work := claim(db):
        texts.append(work.text)
    return texts


def test_who_waits_comes_first_then_who_came_first(db: Database) -> None:
    ask(db, "prepared 1", prefer="background")
    ask(db, "clicked 1")
    ask(db, "prepared 2", prefer="background")
    ask(db, "clicked 2")

    assert order(db) == ["clicked 1", "clicked 2", "prepared 1", "prepared 2"]


def test_a_click_on_what_is_prepared_moves_it_to_the_front(db: Database) -> None:
    ask(db, "prepared 1", prefer="background")
    clicked = ask(db, "prepared 2", prefer="background")
    ask(db, "clicked")

    hurry(clicked, db=db)

    assert order(db) == ["prepared 2", "clicked", "prepared 1"]


def test_what_is_tried_again_waits_its_time_then_goes_before_later_ones(db: Database) -> None:
    ask(db, "first")
    work = claim(db)
    assert work
    ask(db, "second")

    assert queue.try_again(work, "EngineBusy", "Busy.", after_seconds=60, db=db)

    assert [row["problem"] for row in db.query("SELECT problem FROM candidates LIMIT 1")] == [
        "EngineBusy"
    ]
    second = claim(db)
    assert second
    assert second.text == "second"
    assert claim(db) is None
    with transaction(db):  # a minute later
        db.execute("UPDATE candidates SET not_before = not_before - 60")
    ask(db, "third")
    assert order(db) == ["first", "third"]


def test_after_a_second_try_that_works_no_problem_is_left(db: Database) -> None:
    asked = ask(db, "first")
    work = claim(db)
    assert work
    queue.try_again(work, "EngineBusy", "Busy.", after_seconds=0, db=db)
    work = claim(db)
    assert work
    assert work.attempts == 2

    queue.finish(work, "Done.", "stop", Usage(), db=db)

    (found,) = suggestion(asked, db=db).candidates
    assert (found.state, found.problem, found.problem_detail) == ("done", None, None)


def test_when_the_worker_is_gone_all_it_held_can_be_claimed(db: Database) -> None:
    ask(db, "a", "one", "two")
    ask(db, "b")
    held = [claim(db), claim(db)]
    assert claim(db, "two") is None

    assert queue.release_all(db) == 2

    assert sorted(order(db)) == ["a", "a", "b"]
    assert all(work and not queue.write(work, "x", lease_seconds=1, db=db) for work in held)


def test_a_worker_that_ends_in_order_hands_back_and_the_try_does_not_count(db: Database) -> None:
    ask(db, "a")
    assert claim(db)

    assert queue.hand_back(db) == 1

    again = claim(db)
    assert again
    assert again.attempts == 1
    queue.release_all(db)
    killed = claim(db)
    assert killed
    assert killed.attempts == 2


def test_waiting_counts_what_is_not_finished(db: Database) -> None:
    ask(db, "a", "one", "two")
    cancelled = ask(db, "b")
    work = claim(db)
    assert work
    assert queue.waiting(db) == 3

    queue.fail(work, "EngineRefused", "No.", db=db)
    cancel(cancelled, db=db)

    assert queue.waiting(db) == 1


def test_ahead_are_the_candidates_of_the_same_models_that_come_first(db: Database) -> None:
    first = ask(db, "1", "one", "two")
    ask(db, "2", "two")
    third = ask(db, "3", "one")
    prepared = ask(db, "4", "one", prefer="background")
    later = ask(db, "5", "one")

    assert [queue.ahead_of(one, db=db) for one in (first, third, prepared, later)] == [
        0,
        1,
        3,
        2,
    ]


def test_what_is_being_written_is_still_ahead_and_what_is_done_is_not(db: Database) -> None:
    ask(db, "1")
    second = ask(db, "2")
    work = claim(db)
    assert work
    assert queue.ahead_of(second, db=db) == 1

    queue.finish(work, "Done.", "stop", Usage(), db=db)

    assert queue.ahead_of(second, db=db) == 0


def test_nothing_is_ahead_of_what_does_not_wait(db: Database) -> None:
    ask(db, "1")
    second = ask(db, "2")
    cancel(second, db=db)

    assert queue.ahead_of(second, db=db) == 0
    assert queue.ahead_of("none", db=db) == 0


def _took(db: Database, model: str, *, seconds: float, state: str = "done") -> None:
    ask(db, f"took {seconds}", model)
    work = claim(db, model)
    assert work
    end = datetime.now(UTC) + timedelta(minutes=db.table("candidates").count)
    db.execute(
        "UPDATE candidates SET state = ?, claimed = ?, finished = ? WHERE id = ?",
        [
            state,
            (end - timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
            end.isoformat(timespec="milliseconds"),
            work.candidate_id,
        ],
    )


def test_seconds_are_the_mean_of_the_last_replies_of_this_model(db: Database) -> None:
    assert queue.seconds_for("one", db=db) is None
    for seconds in (100, 4, 2.5):
        _took(db, "one", seconds=seconds)
    _took(db, "two", seconds=50)
    _took(db, "one", seconds=80, state="failed")

    assert queue.seconds_for("one", db=db, last=2) == pytest.approx(3.25, abs=0.01)
    assert queue.seconds_for("one", db=db) == pytest.approx(35.5, abs=0.01)
    assert queue.seconds_for("two", db=db) == pytest.approx(50, abs=0.01)


def test_what_waits_too_long_for_a_model_that_does_not_run_fails(db: Database) -> None:
    old = ask(db, "old", "one", "two")
    time.sleep(0.002)
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    new = ask(db, "new")

    assert queue.give_up_waiting("one", queued_before=moment, detail="Gone.", db=db) == 1

    by_model = {one.model: one for one in suggestion(old, db=db).candidates}
    assert (by_model["one"].state, by_model["one"].problem) == ("failed", "NoModel")
    assert by_model["one"].problem_detail == "Gone."
    assert by_model["two"].state == "queued"
    assert suggestion(new, db=db).candidates[0].state == "queued"


def test_totals_count_what_is_finished_by_model_and_state(db: Database) -> None:
    ask(db, "1", "one", "two")
    for model, usage in (("one", Usage(10, 4, 3)), ("two", Usage())):
        work = claim(db, model)
        assert work
        queue.finish(work, "Done.", "stop", usage, db=db)
    ask(db, "2")

    found = {(row["model"], row["state"]): row for row in queue.totals(db)}

    assert set(found) == {("one", "done"), ("two", "done")}
    one = found["one", "done"]
    assert (one["count"], one["prompt_tokens"], one["cached_tokens"]) == (1, 10, 4)
    assert found["two", "done"]["prompt_tokens"] == 0


def test_what_is_tried_again_begins_with_no_text(db: Database) -> None:
    asked = ask(db, "first")
    work = claim(db)
    assert work
    assert queue.write(work, "Half a rep", lease_seconds=LEASE, db=db)

    assert queue.try_again(work, "EngineBusy", "Busy.", after_seconds=0, db=db)

    (found,) = suggestion(asked, db=db).candidates
    assert (found.state, found.text) == ("queued", "")
    assert (found.problem, found.problem_detail) == ("EngineBusy", "Busy.")


def test_a_reply_keeps_what_it_cost(db: Database) -> None:
    ask(db, "first")
    work = claim(db)
    assert work

    queue.finish(work, "Done.", "length", Usage(70, 50, 9), db=db)

    (row,) = db.query("SELECT * FROM candidates")
    assert (row["state"], row["text"], row["finish"]) == ("done", "Done.", "length")
    assert (row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]) == (70, 50, 9)
