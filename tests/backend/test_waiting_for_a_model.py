"""A model that does not run is waited for, and given up only once it was away too long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.suggestion import Candidate
from backend.domain.ticket import Ticket
from backend.privacy.placeholders import redact
from backend.services.answer import Engines
from backend.services.suggest import Ask, suggest
from backend.settings import Settings, SuggestSettings
from backend.store.models import Model, Runner, add_model, keep_runner
from backend.store.suggestions import suggestion
from backend.system.logging import start_log
from backend.worker import Worker


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path, suggest=SuggestSettings(runner_wait_seconds=1.5))


@pytest.fixture
def asked(db: Database, settings: Settings) -> str:
    """A click of an hour ago on a model that does not run: the queue was that long."""
    add_model(Model(name="m", kind="gguf", path="/m.gguf", active=True), db=db)
    found = suggest(Ask(Ticket(text="q")), settings=settings.suggest, db=db)
    db.execute("UPDATE candidates SET queued = '2020-01-01T00:00:00.000+00:00'")
    return found.id


def after(seconds: float, asked: str, settings: Settings, db: Database) -> Candidate:
    """The candidate after a worker has run for so long."""

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        log = start_log(
            settings.log_file, level=settings.log.level, process="worker", redact=redact
        )
        await Worker(settings, db, log, Engines(settings, db)).run(stop)

    asyncio.run(run())
    (candidate,) = suggestion(asked, db=db).candidates
    return candidate


@pytest.mark.parametrize("state", [None, "starting"])
def test_a_model_that_starts_is_waited_for_however_long_the_queue_was(
    db: Database, settings: Settings, asked: str, state: str | None
) -> None:
    if state:
        keep_runner(Runner("m", "starting"), db=db)

    assert after(1.3, asked, settings, db).state == "queued"


def test_a_model_that_is_away_too_long_is_given_up(
    db: Database, settings: Settings, asked: str
) -> None:
    found = after(4.0, asked, settings, db)

    assert (found.state, found.problem) == ("failed", "NoModel")
    assert "m was not running for 2 s." in (found.problem_detail or "")


def test_a_model_that_cannot_run_is_given_up_at_once_with_its_reason(
    db: Database, settings: Settings, asked: str
) -> None:
    keep_runner(Runner("m", "failed", problem="No memory."), db=db)

    found = after(1.3, asked, settings, db)

    assert found.problem == "NoModel"
    assert "m cannot run: No memory." in (found.problem_detail or "")
