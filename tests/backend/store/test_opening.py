"""Opening the database: made, migrated, refused, safe, and full disks."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from backend.domain.errors import DatabaseTooNew, StoreError
from backend.store.database import open_database
from backend.store.migrations import migrations
from backend.system.database import connect, new_id, transaction
from tests.backend.candidates import add_models

STEPS = [migration.name for migration in migrations.pending(Database(memory=True))]
TABLES = {
    "tickets",
    "suggestions",
    "candidates",
    "candidate_passages",
    "models",
    "aliases",
    "runners",
    "rubrics",
    "ratings",
    "scores",
    "outcomes",
    "articles",
    "solved_tickets",
    "passages",
}


def pragma(db: Database, name: str) -> Any:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def schema(db: Database) -> list[tuple[str, ...]]:
    return list(db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall())


def test_a_new_database_has_every_table_and_the_safety_settings(db: Database) -> None:
    assert set(db.table_names()) >= TABLES
    assert pragma(db, "journal_mode") == "wal"
    assert pragma(db, "foreign_keys") == 1
    assert pragma(db, "busy_timeout") == 10_000
    assert pragma(db, "integrity_check") == "ok"


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"

    db = open_database(folder / "desk.db")
    add_models(["one"], db=db)

    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.glob("desk.db*")}
    assert set(modes) == {"desk.db", "desk.db-wal", "desk.db-shm"}
    assert set(modes.values()) == {0o600}
    assert folder.stat().st_mode & 0o077 == 0
    db.conn.close()


def test_what_points_to_nothing_is_refused(db: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        db.table("outcomes").insert(
            {"id": "o", "candidate_id": "none", "kind": "sent", "final_text": "", "agent": "",
             "created": ""}
        )  # fmt: skip


ROWS = {
    "m001_tickets_suggestions_candidates": (
        "INSERT INTO tickets VALUES ('t', 'f', '', 's', 'Привіт', '', '', '2024')",
        "SELECT text FROM tickets",
    ),
    "m002_models": (
        "INSERT INTO models (name, kind, added) VALUES ('one', 'chat', '2024')",
        "SELECT name FROM models",
    ),
    "m003_ratings_and_outcomes": (
        "INSERT INTO rubrics VALUES ('kept', 1, '{}')",
        "SELECT name FROM rubrics WHERE name = 'kept'",
    ),
    "m004_knowledge": (
        "INSERT INTO articles VALUES ('a', 'Title', '', 'Body', '', '', '')",
        "SELECT title FROM articles",
    ),
}


@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
def test_a_database_of_any_older_version_is_migrated_and_keeps_its_rows(
    tmp_path: Path, db: Database, steps: int
) -> None:
    old = connect(tmp_path / "old.db")
    migrations.apply(old, stop_before=STEPS[steps:])
    for step in STEPS[:steps]:
        if step in ROWS:
            old.execute(ROWS[step][0])
    old.conn.close()

    found = open_database(tmp_path / "old.db")

    assert [one.name for one in migrations.applied(found)] == STEPS
    assert schema(found) == schema(db)
    for step in STEPS[:steps]:
        if step in ROWS:
            assert len(found.execute(ROWS[step][1]).fetchall()) == 1
    found.conn.close()


def test_opening_again_changes_nothing(db: Database, tmp_path: Path) -> None:
    before = schema(db), pragma(db, "data_version")

    again = open_database(tmp_path / "suggest-answer.db")
    again.conn.close()

    assert (schema(db), pragma(db, "data_version")) == before


def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    newer = open_database(path)
    newer.table(migrations.migrations_table).insert(
        {"migration_set": migrations.name, "name": "m999_telepathy", "applied_at": "2099"}
    )
    newer.conn.close()  # the last connection: all is in the one file
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    with pytest.raises(DatabaseTooNew, match=r"m999_telepathy.*Update this installation"):
        open_database(path)

    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("Dear diary, " * 200)

    with pytest.raises(StoreError, match=r"notes.db is no SQLite database\. Move it away"):
        open_database(path)

    assert path.read_text() == "Dear diary, " * 200


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "desk.db").mkdir()

    with pytest.raises(StoreError, match="cannot be opened"):
        open_database(tmp_path / "desk.db")


def test_a_damaged_database_is_refused(tmp_path: Path, db: Database) -> None:
    db.conn.close()
    path = tmp_path / "suggest-answer.db"
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(3996)  # the first page of the schema, but for the header
    path.write_bytes(content)

    with pytest.raises(StoreError, match="is damaged"):
        open_database(path)


OPEN = """
import sys
from pathlib import Path
from backend.store.database import open_database
print("here", flush=True)
sys.stdin.readline()
open_database(Path(sys.argv[1])).conn.close()
"""


def test_processes_that_open_a_new_database_at_once_make_it_once(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()

    ended = [(process.communicate(timeout=30)[1], process.returncode) for process in processes]

    assert ended == [("", 0)] * 4
    db = open_database(path)
    assert [one.name for one in migrations.applied(db)] == STEPS
    db.conn.close()


def test_a_transaction_is_all_or_nothing(db: Database) -> None:
    def fail_half_way() -> None:
        with transaction(db):
            db.execute("INSERT INTO rubrics VALUES ('half', 1, '{}')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()

    assert not db.conn.in_transaction
    assert db.execute("SELECT count(*) FROM rubrics WHERE name = 'half'").fetchone() == (0,)


def test_ids_are_long_different_and_safe_in_addresses() -> None:
    found = {new_id() for _ in range(1000)}

    assert len(found) == 1000
    assert all(
        len(one) >= 16 and one.replace("-", "a").replace("_", "a").isalnum() for one in found
    )
