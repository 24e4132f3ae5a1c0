"""A full disk: SQLite's own error becomes ours, nothing is half saved, and room mends it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.errors import DiskFull
from backend.domain.ticket import Ticket
from backend.services.suggest import Ask, suggest
from backend.settings import SuggestSettings
from backend.store import queue
from backend.store.database import open_database
from backend.store.migrations import migrations
from backend.store.suggestions import suggestion
from backend.system.database import connect
from tests.backend.candidates import add_models

STEPS = [migration.name for migration in migrations.pending(Database(memory=True))]


def fill(db: Database) -> None:
    """From here on the database cannot grow: SQLite itself says that the disk is full."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")


def empty(db: Database) -> None:
    db.execute("PRAGMA max_page_count = 1000000")


def test_a_click_on_a_full_disk_saves_nothing_and_works_once_there_is_room(db: Database) -> None:
    add_models(["one"], db=db)
    fill(db)
    ask = Ask(Ticket(text="long " * 20_000), models=("one",))

    with pytest.raises(DiskFull, match="nothing was saved"):
        suggest(ask, settings=SuggestSettings(), db=db)

    assert db.table("tickets").count == db.table("candidates").count == 0
    empty(db)
    assert suggest(ask, settings=SuggestSettings(), db=db).candidates


Save = Callable[[queue.Work, str, Database], bool]
SAVES: dict[str, Save] = {
    "write": lambda work, text, db: queue.write(work, text, lease_seconds=9, db=db),
    "finish": lambda work, text, db: queue.finish(work, text, "stop", queue.Usage(), db=db),
    "fail": lambda work, text, db: queue.fail(work, "EngineBusy", text, db=db),
    "try again": lambda work, text, db: queue.try_again(work, "x", text, after_seconds=0, db=db),
}


@pytest.mark.parametrize("save", SAVES)
def test_a_reply_that_finds_no_room_leaves_the_last_state(db: Database, save: str) -> None:
    add_models(["one"], db=db)
    asked = suggest(Ask(Ticket(text="q"), models=("one",)), settings=SuggestSettings(), db=db)
    work = queue.claim(["one"], lease_seconds=9, db=db)
    assert work
    queue.write(work, "So far", lease_seconds=9, db=db)
    fill(db)
    before = suggestion(asked.id, db=db)

    with pytest.raises(DiskFull):
        SAVES[save](work, "long " * 20_000, db)

    assert suggestion(asked.id, db=db) == before
    empty(db)
    assert SAVES[save](work, "long " * 20_000, db)


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_a_migration_that_finds_no_room_is_done_at_the_next_start(
    tmp_path: Path, step: int
) -> None:
    path = tmp_path / "desk.db"
    db = connect(path)
    migrations.apply(db, stop_before=STEPS[step:])
    db.execute("VACUUM")
    fill(db)
    with pytest.raises(sqlite3.DatabaseError, match="full"):
        migrations.apply(db)
    db.conn.close()

    found = open_database(path)

    assert [one.name for one in migrations.applied(found)] == STEPS
    found.conn.close()
