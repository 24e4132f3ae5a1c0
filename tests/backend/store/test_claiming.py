"""The queue: who holds a candidate, how long, and how it grows to its end."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.passage import Passage
from backend.domain.prompt import render
from backend.domain.ticket import Ticket
from backend.store import queue
from backend.store.queue import Usage
from backend.store.suggestions import add_suggestion, suggestion
from backend.system.database import connect, transaction
from tests.backend.asking import LEASE, MODELS, ask, candidate, claim
from tests.backend.candidates import add_models

USAGE = Usage(prompt_tokens=9, cached_tokens=5, completion_tokens=2)
PROMPT = render("q", [Passage("solved:1", "solved", "Title", "Text", "https://x", 0.5)])


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    add_models(MODELS, db=db)


def test_a_claim_has_all_that_is_needed_to_write(db: Database) -> None:
    with transaction(db):
        ticket = Ticket(text="Text", subject="Subject", external_id="desk-1")
        add_suggestion(ticket, ["one"], steering="short", prefer="background", db=db)

    work = claim(db)

    assert (work.model, work.priority, work.attempts) == ("one", 1, 1)
    assert (work.subject, work.text, work.external_id) == ("Subject", "Text", "desk-1")
    assert work.steering == "short"
    assert candidate(db, work).state == "writing"


def test_only_the_models_that_have_room_are_served(db: Database) -> None:
    ask(db, "one", "two")

    assert queue.claim([], lease_seconds=LEASE, db=db) is None
    assert queue.claim(["three", "none"], lease_seconds=LEASE, db=db) is None
    assert getattr(queue.claim(["two"], lease_seconds=LEASE, db=db), "model", "") == "two"
    assert queue.claim(["two"], lease_seconds=LEASE, db=db) is None


def test_workers_that_claim_at_once_never_get_the_same_candidate(
    db: Database, tmp_path: Path
) -> None:
    for number in range(20):
        ask(db, text=f"q{number}")
    claimed: list[str] = []
    begin = threading.Barrier(4)

    def work() -> None:
        mine = connect(tmp_path / "suggest-answer.db")
        begin.wait()
        while found := queue.claim(MODELS, lease_seconds=LEASE, db=mine):
            claimed.append(found.candidate_id)
        mine.conn.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(claimed) == len(set(claimed)) == 60


def test_a_reply_grows_and_ends(db: Database) -> None:
    ask(db, "one")
    work = claim(db)

    assert queue.keep_prompt(work, PROMPT, "ab", "suggest-answer/1", db)
    assert queue.write(work, "He", lease_seconds=LEASE, db=db)
    begun = candidate(db, work).first_text
    assert queue.write(work, "Hello", lease_seconds=LEASE, db=db)
    assert queue.finish(work, "Hello.", "stop", USAGE, db=db)

    found = candidate(db, work)
    assert (found.state, found.text, found.finish) == ("done", "Hello.", "stop")
    assert found.first_text == begun is not None
    assert found.finished
    assert [dict(one)["key"] for one in found.passages] == ["solved:1"]


def test_each_change_can_be_seen_by_its_revision(db: Database) -> None:
    asked = ask(db, "one", "two")
    first, second = claim(db), claim(db)
    before = suggestion(asked, db=db).revision

    queue.write(first, "He", lease_seconds=LEASE, db=db)
    queue.write(second, "Hi", lease_seconds=LEASE, db=db)
    queue.write(first, "Hello", lease_seconds=LEASE, db=db)

    assert suggestion(asked, db=db).revision == before + 3
    assert candidate(db, second).revision == before + 2
    assert candidate(db, first).revision == before + 3


def test_a_lease_that_is_kept_up_cannot_be_taken(db: Database) -> None:
    ask(db, "one")
    work = claim(db, lease_seconds=0.05)

    assert queue.renew([work.claim], lease_seconds=LEASE, db=db) == {work.claim}
    time.sleep(0.06)

    assert queue.claim(MODELS, lease_seconds=LEASE, db=db) is None


def test_writing_renews_the_lease(db: Database) -> None:
    ask(db, "one")
    work = claim(db, lease_seconds=0.05)

    assert queue.write(work, "He", lease_seconds=LEASE, db=db)
    time.sleep(0.06)

    assert queue.claim(MODELS, lease_seconds=LEASE, db=db) is None


def test_a_lease_that_ran_out_is_the_next_workers_and_starts_anew(db: Database) -> None:
    ask(db, "one")
    lost = claim(db, lease_seconds=0.01)
    queue.write(lost, "Half a", lease_seconds=0.01, db=db)
    time.sleep(0.02)

    work = claim(db)

    assert (work.candidate_id, work.attempts) == (lost.candidate_id, 2)
    assert work.claim != lost.claim
    assert (candidate(db, work).text, candidate(db, work).first_text) == ("", None)
    assert queue.renew([lost.claim, work.claim], lease_seconds=LEASE, db=db) == {work.claim}
    assert queue.held(db) == {work.claim}
