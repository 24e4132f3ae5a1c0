"""The queue: a claim that is lost changes nothing, so a candidate is finished once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.passage import Passage
from backend.domain.prompt import render
from backend.store import queue
from backend.store.queue import Usage, Work
from backend.store.suggestions import cancel, suggestion
from tests.backend.asking import LEASE, MODELS, ask, candidate, claim
from tests.backend.candidates import add_models, suggestion_of

USAGE = Usage(prompt_tokens=9, cached_tokens=5, completion_tokens=2)
PROMPT = render("q", [Passage("solved:1", "solved", "Title", "Text", "https://x", 0.5)])


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    add_models(MODELS, db=db)


Change = Callable[[Work, Database], bool]
CHANGES: dict[str, Change] = {
    "prompt": lambda work, db: queue.keep_prompt(work, PROMPT, "cd", "f", db),
    "write": lambda work, db: queue.write(work, "late", lease_seconds=LEASE, db=db),
    "finish": lambda work, db: queue.finish(work, "late", "stop", USAGE, db=db),
    "fail": lambda work, db: queue.fail(work, "EngineBusy", "late", db=db),
    "try again": lambda work, db: queue.try_again(work, "x", "late", after_seconds=0, db=db),
}


def _taken(work: Work, db: Database) -> None:
    queue.release_all(db)
    claim(db)


def _cancelled(work: Work, db: Database) -> None:
    cancel(suggestion_of(work.candidate_id, db=db), db=db)


def _finished(work: Work, db: Database) -> None:
    assert queue.finish(work, "Done.", "stop", USAGE, db=db)


def _failed(work: Work, db: Database) -> None:
    assert queue.fail(work, "EngineRefused", "No.", db=db)


def _queued(work: Work, db: Database) -> None:
    assert queue.try_again(work, "EngineBusy", "Busy.", after_seconds=60, db=db)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("lose", [_taken, _cancelled, _finished, _failed, _queued])
def test_a_claim_that_is_lost_changes_nothing(
    db: Database, change: str, lose: Callable[[Work, Database], None]
) -> None:
    ask(db, "one")
    work = claim(db)
    assert queue.keep_prompt(work, PROMPT, "ab", "suggest-answer/1", db)
    lose(work, db)
    before = list(db.query("SELECT * FROM candidates")), list(db.query("SELECT * FROM suggestions"))

    assert CHANGES[change](work, db) is False

    after = list(db.query("SELECT * FROM candidates")), list(db.query("SELECT * FROM suggestions"))
    assert after == before
    assert len(candidate(db, work).passages) == 1


def test_what_is_done_is_not_cancelled(db: Database) -> None:
    asked = ask(db, "one", "two")
    work = claim(db)
    queue.finish(work, "Done.", "stop", USAGE, db=db)

    cancel(asked, db=db)

    states = {one.model: one.state for one in suggestion(asked, db=db).candidates}
    assert states[work.model] == "done"
    assert sorted(states.values()) == ["cancelled", "done"]
    assert queue.claim(MODELS, lease_seconds=LEASE, db=db) is None


KILLED = """
import os, signal, sys
from pathlib import Path
from backend.store import queue
from backend.system.database import connect, transaction
db = connect(Path(sys.argv[1]))
work = queue.claim(["one"], lease_seconds=0.2, db=db)
queue.write(work, "Half", lease_seconds=0.2, db=db)
db.execute("BEGIN IMMEDIATE")
queue.finish(work, "Never saved.", "stop", queue.Usage(), db=db)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_killed_while_it_saves_leaves_a_candidate_for_the_next(
    db: Database, tmp_path: Path
) -> None:
    ask(db, "one")

    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "suggest-answer.db")])
    assert killed.returncode == -signal.SIGKILL
    assert queue.release_all(db) == 1

    work = claim(db)
    assert work.attempts == 2
    assert queue.finish(work, "Once.", "stop", USAGE, db=db)
    assert [row["text"] for row in db.query("SELECT text FROM candidates")] == ["Once."]
