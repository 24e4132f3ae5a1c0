"""SQLite files: opening one safely, its version, transactions, and what its errors mean."""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database, Migrations

from backend.domain.errors import DatabaseTooNew, DiskFull, StoreBusy, StoreError

BUSY_TIMEOUT_SECONDS = 10.0
_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "cannot be written",
}


def open_migrated(path: Path, migrations: Migrations) -> Database:
    """The database at `path`, made or migrated to the schema of `migrations` if need be.

    Write-ahead log, foreign keys and a busy timeout of 10 s are on, and every statement commits
    unless it runs inside `transaction`. Raises DatabaseTooNew for a file from a newer version,
    StoreError for a file that is no database, DiskFull.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(
            f"{path.parent} cannot be made: {error.strerror}. Use another state directory."
        ) from error
    with _alone(path), storage_errors(path):
        db = connect(path)
        _refuse_newer(db, path, migrations)
        if migrations.pending(db):
            migrations.apply(db)
    return db


def connect(path: Path) -> Database:
    """A connection with the product's settings, without a look at the schema."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    path.chmod(0o600)
    return Database(connection)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time: two that open a new or old database make or migrate it once."""
    try:
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise StoreError(
            f"{path.parent} cannot be written: {error.strerror}. Use another state directory."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_newer(db: Database, path: Path, migrations: Migrations) -> None:
    if not db.table(migrations.migrations_table).exists():
        return
    known = {migration.name for migration in migrations._migrations}
    unknown = [step.name for step in migrations.applied(db) if step.name not in known]
    if unknown:
        raise DatabaseTooNew(
            f"{path} was written by a newer version of suggest answer (it has {unknown[-1]}). "
            "Update this installation, or start with another state directory."
        )


@contextmanager
def storage_errors(path: Path | None = None) -> Iterator[None]:
    """Turns SQLite's errors about the disk and the file into the product's own."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise DiskFull(
                "The disk with the database is full, so nothing was saved. Free some space "
                "(old models and logs in the state directory are a start), then try again."
            ) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusy(
                f"Another program keeps the database locked for over {BUSY_TIMEOUT_SECONDS:.0f} s. "
                "End what reads or writes it (a backup, a database browser), then try again."
            ) from error
        if code in _UNUSABLE:
            raise StoreError(
                f"{path or 'The database'} {_UNUSABLE[code]}. "
                "Move it away, or use another state directory."
            ) from error
        raise


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All or nothing, and alone: a write transaction that is rolled back on any error.

    Inside another one it is a part of that one.
    """
    if db.conn.in_transaction:
        yield
        return
    with storage_errors():
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.conn.in_transaction:
                db.execute("ROLLBACK")
            raise


def now() -> str:
    """This moment as the store writes it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """A random id that cannot be guessed, safe in addresses."""
    return secrets.token_urlsafe(12)
