"""What the sync of each stream remembers between interruptions, in one SQLite file.

It lies in `.export/` of the raw folder and holds ids, times and counts, no customer's word. What
an export has got is read from the raw file itself and never written here, so the two cannot
disagree. Each method is one transaction that the disk has when it returns.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from sqlite_utils import Database, Migrations

from backend.domain.errors import Unavailable, ZohoError
from backend.system.database import connect, open_migrated, transaction
from backend.system.files import open_private, private_folder

STATE_FOLDER, STATE_FILE = ".export", "sync.db"
STREAMS = ("desk/articles", "desk/tickets", "crm/solutions", "crm/cases")
Phase = Literal["idle", "listing", "reading", "closing", "compacting"]
migrations = Migrations("zoho_sync")


@migrations()
def m001_streams(db: Database) -> None:
    """Where each stream's run is, what it lists and reads, and which records are known."""
    db.execute("""
        CREATE TABLE runs (
            stream TEXT PRIMARY KEY, phase TEXT NOT NULL, run TEXT NOT NULL,
            start INTEGER NOT NULL, position TEXT NOT NULL DEFAULT 'null'
        ) STRICT""")
    db.execute("""
        CREATE TABLE cursors (
            stream TEXT NOT NULL, department TEXT NOT NULL,
            exported_until TEXT NOT NULL, rechecked TEXT NOT NULL,
            PRIMARY KEY (stream, department)
        ) STRICT, WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE listed (
            stream TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, gone INTEGER NOT NULL,
            PRIMARY KEY (stream, id)
        ) STRICT, WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE planned (
            stream TEXT NOT NULL, number INTEGER NOT NULL,
            id TEXT NOT NULL, version TEXT NOT NULL, gone INTEGER NOT NULL,
            PRIMARY KEY (stream, number)
        ) STRICT, WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE records (
            stream TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL,
            exported_on TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('kept', 'expired', 'deleted')),
            PRIMARY KEY (stream, id)
        ) STRICT, WITHOUT ROWID""")
    db.execute("""
        CREATE TABLE refused (
            stream TEXT NOT NULL, id TEXT NOT NULL, in_this_run INTEGER NOT NULL,
            PRIMARY KEY (stream, id)
        ) STRICT, WITHOUT ROWID""")
    db.execute("""
        CREATE VIEW to_read AS
        SELECT * FROM planned WHERE NOT EXISTS (
            SELECT 1 FROM refused
            WHERE refused.stream = planned.stream AND refused.id = planned.id AND in_this_run
        )""")
    db.execute("""
        CREATE TABLE credits (
            product TEXT NOT NULL, bucket INTEGER NOT NULL, spent INTEGER NOT NULL,
            PRIMARY KEY (product, bucket)
        ) STRICT, WITHOUT ROWID""")


@dataclass(frozen=True)
class SyncRun:
    """What one run covers: records changed from `since` (None: ever) until `until`, both ISO.

    `department` is an id or "*". `reread` reads also what did not change. `recheck` asks for what
    is slow to ask: archived tickets, and which known records have disappeared. `retry_refused`
    tries again what was refused before.
    """

    since: str | None
    until: str
    department: str = "*"
    reread: bool = False
    recheck: bool = True
    retry_refused: bool = False


@dataclass(frozen=True)
class Page:
    """Some ids of a listing: each with a version that changes when the record does, or gone.

    `position` is where the pagination can go on from, as JSON.
    """

    position: Any
    items: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedRecord:
    """One record to read, or to note as gone."""

    id: str
    version: str = ""
    gone: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r'[^"\\\x00-\x1f]+', self.id):
            raise ZohoError(
                f"Zoho lists a record with the id {self.id!r}, which could not be found again in "
                "the raw file. Please report it."
            )


@dataclass(frozen=True)
class Progress:
    """Where a stream's run is. `start` is the size of the raw file when the run began."""

    phase: Phase = "idle"
    run: SyncRun | None = None
    start: int = 0

    @property
    def current_run(self) -> SyncRun:
        """The run of a stream that is not idle."""
        if self.run is None:
            raise ValueError(f"a stream that is {self.phase} has no run")
        return self.run


@dataclass(frozen=True)
class Cursor:
    """Up to when a department is exported, and when it was last rechecked; ISO, "" for never."""

    exported_until: str = ""
    rechecked: str = ""


@dataclass(frozen=True)
class ExportFolder:
    """A private folder of raw records and its database, held by one process."""

    path: Path
    database: Database

    def state(self, stream: str) -> StreamState:
        """What is remembered of a stream, such as `desk/tickets`."""
        return StreamState(self.database, stream)

    def connect(self) -> Database:
        """Another connection to the database, for what other threads note."""
        return connect(self.path / STATE_FOLDER / STATE_FILE)

    def raw_path(self, stream: str) -> Path:
        """The file of a stream's raw records."""
        return self.path / f"{stream}.jsonl"


@contextmanager
def open_export_folder(path: Path) -> Iterator[ExportFolder]:
    """The folder, made if need be, for one export at a time.

    Raises Unavailable if there is another, BadInput if others may look into the folder.
    """
    private_folder(path)
    folder = private_folder(path / STATE_FOLDER)
    try:
        with FileLock(folder / "lock", timeout=0, mode=0o600):
            db = _database(folder)
            with closing(db):
                yield ExportFolder(path, db)
    except Timeout:
        raise Unavailable(
            f"Another export writes into {path}. Wait for it, or name another folder."
        ) from None


def _database(folder: Path) -> Database:
    """The database of a state folder, which takes over what an older version left there."""
    file = folder / STATE_FILE
    for name in (file, file.with_suffix(".lock")):
        os.close(open_private(name))
    db = open_migrated(file, migrations)
    db.execute("PRAGMA synchronous = FULL")  # a power cut takes back nothing that was noted
    _take_over_journals(db, folder)
    return db


class StreamState:
    """Where the sync of one stream is, and which of its records are known."""

    def __init__(self, db: Database, stream: str) -> None:
        self._db, self._stream = db, stream

    def progress(self) -> Progress:
        """Where the last run is; idle at first."""
        row = self._row("SELECT phase, run, start FROM runs WHERE stream = :stream")
        if row is None:
            return Progress()
        phase, run, start = row
        found = json.loads(run)
        return Progress(phase, SyncRun(**found) if found else None, start)

    def begin(self, run: SyncRun, *, start: int) -> None:
        """Begins a run with its listing. What was refused before was refused by earlier runs."""
        with transaction(self._db):
            self._forget_listing()
            self._write("UPDATE refused SET in_this_run = 0 WHERE stream = :stream")
            self._set_progress(Progress("listing", run, start))

    def add_page(self, page: Page) -> None:
        """Notes one more page of the listing."""
        with transaction(self._db):
            self._write_all(
                "INSERT INTO listed VALUES (?, ?, ?, 0) "
                "ON CONFLICT DO UPDATE SET version = excluded.version, gone = 0",
                page.items,
            )
            self._write_all(
                "INSERT OR IGNORE INTO listed VALUES (?, ?, '', 1)",
                ((record_id,) for record_id in page.gone),
            )
            self._write(
                "UPDATE runs SET position = :position WHERE stream = :stream",
                position=json.dumps(page.position),
            )

    def count_listed(self) -> int:
        """How many records the listing has found so far."""
        return len(self._ids("SELECT id FROM listed WHERE stream = :stream AND NOT gone"))

    def listing_position(self) -> Any:
        """Where the pagination goes on from; None at the beginning."""
        row = self._row("SELECT position FROM runs WHERE stream = :stream")
        return json.loads(row[0]) if row else None

    def plan(self) -> None:
        """Ends the listing: notes what to read, in the order of the ids' numbers.

        Each id once, and not what is known and unchanged. What was refused before is tried again
        if the run asks for that.
        """
        progress = self.progress()
        run = progress.current_run
        with transaction(self._db):
            self._write("DELETE FROM planned WHERE stream = :stream")
            self._write(_PLAN, reread=run.reread, retry=run.retry_refused)
            self._write("DELETE FROM listed WHERE stream = :stream")
            self._set_progress(replace(progress, phase="reading"))

    def planned(self) -> list[PlannedRecord]:
        """What the run reads, in order, without what it was refused so far."""
        rows = self._db.execute(
            "SELECT id, version, gone FROM to_read WHERE stream = :stream ORDER BY number",
            {"stream": self._stream},
        )
        return [PlannedRecord(record_id, version, bool(gone)) for record_id, version, gone in rows]

    def refuse(self, record_id: str) -> None:
        """Notes one more record that the user who signed in may not read."""
        with transaction(self._db):
            self._write("INSERT OR REPLACE INTO refused VALUES (:stream, :id, 1)", id=record_id)

    def refused(self) -> tuple[str, ...]:
        """The ids of all refused records, of this run and of earlier ones."""
        return tuple(self._ids("SELECT id FROM refused WHERE stream = :stream ORDER BY id"))

    def count_refused_now(self) -> int:
        """How many records this run was refused."""
        return len(self._ids("SELECT id FROM refused WHERE stream = :stream AND in_this_run"))

    def finish_reading(self) -> None:
        """Notes that each planned record has its line in the raw file."""
        with transaction(self._db):
            self._set_progress(replace(self.progress(), phase="closing"))

    def close(self, deleted: Collection[str], *, keep_days: int) -> None:
        """Notes as known what the run read, those in `deleted` as deleted; then what expires."""
        progress = self.progress()
        run = progress.current_run
        today = run.until[:10]
        with transaction(self._db):
            self._write(
                "INSERT INTO records SELECT stream, id, version, :today, 'kept' FROM to_read "
                "WHERE stream = :stream "
                "ON CONFLICT DO UPDATE SET version = excluded.version, "
                "exported_on = excluded.exported_on, status = 'kept'",
                today=today,
            )
            self._write_all(
                "UPDATE records SET status = 'deleted' WHERE stream = ? AND id = ?",
                ((record_id,) for record_id in deleted),
            )
            self._write(
                "DELETE FROM refused WHERE stream = :stream "
                "AND id IN (SELECT id FROM to_read WHERE stream = :stream)"
            )
            self._expire(keep_days, today)
            self._set_cursor(run)
            self._set_progress(replace(progress, phase="compacting"))

    def finish(self) -> None:
        """Ends the run, or gives an interrupted one up."""
        with transaction(self._db):
            self._forget_listing()
            self._set_progress(Progress())

    def expire(self, *, keep_days: int, today: str) -> None:
        """Notes records exported more than `keep_days` before `today` as expired; 0: none."""
        with transaction(self._db):
            self._expire(keep_days, today)

    def expired(self) -> set[str]:
        """The ids of records whose text is to stay no longer."""
        return set(
            self._ids("SELECT id FROM records WHERE stream = :stream AND status = 'expired'")
        )

    def existing(self) -> list[str]:
        """The ids of known records that Zoho had when last asked, in order."""
        return self._ids(
            "SELECT id FROM records WHERE stream = :stream AND status <> 'deleted' ORDER BY id"
        )

    def count_known(self) -> int:
        """How many records were exported or noted as deleted."""
        return len(self._ids("SELECT id FROM records WHERE stream = :stream"))

    def cursor(self, department: str) -> Cursor:
        """Up to when this department, or all of them together, is exported."""
        own, every = self._cursor(department), self._cursor("*")
        return Cursor(
            max(own.exported_until, every.exported_until), own.rechecked or every.rechecked
        )

    def _cursor(self, department: str) -> Cursor:
        row = self._row(
            "SELECT exported_until, rechecked FROM cursors "
            "WHERE stream = :stream AND department = :department",
            department=department,
        )
        return Cursor(*row) if row else Cursor()

    def _set_cursor(self, run: SyncRun) -> None:
        """Moves on, unless the run began later than the last one got: older changes are missing."""
        before = self._cursor(run.department)
        reached = before.exported_until
        if run.since is None or not reached or run.since <= reached:
            reached = max(run.until, reached)
        self._write(
            "INSERT OR REPLACE INTO cursors VALUES (:stream, :department, :reached, :rechecked)",
            department=run.department,
            reached=reached,
            rechecked=run.until if run.recheck else before.rechecked,
        )

    def _set_progress(self, progress: Progress) -> None:
        self._write(
            "INSERT INTO runs (stream, phase, run, start) VALUES (:stream, :phase, :run, :start) "
            "ON CONFLICT DO UPDATE "
            "SET phase = excluded.phase, run = excluded.run, start = excluded.start",
            phase=progress.phase,
            run=json.dumps(asdict(progress.run) if progress.run else None),
            start=progress.start,
        )

    def _forget_listing(self) -> None:
        self._write("DELETE FROM listed WHERE stream = :stream")
        self._write("DELETE FROM planned WHERE stream = :stream")
        self._write("UPDATE runs SET position = 'null' WHERE stream = :stream")

    def _expire(self, keep_days: int, today: str) -> None:
        if keep_days:
            self._write(
                "UPDATE records SET status = 'expired' "
                "WHERE stream = :stream AND status = 'kept' AND exported_on < :oldest",
                oldest=oldest_kept(keep_days, today=today),
            )

    def _ids(self, query: str) -> list[str]:
        return [record_id for (record_id,) in self._db.execute(query, {"stream": self._stream})]

    def _row(self, query: str, **values: Any) -> Any:
        return self._db.execute(query, {"stream": self._stream, **values}).fetchone()

    def _write(self, statement: str, **values: Any) -> None:
        self._db.execute(statement, {"stream": self._stream, **values})

    def _write_all(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._db.conn.executemany(statement, ((self._stream, *row) for row in rows))


_PLAN = """
    INSERT INTO planned
    SELECT :stream, row_number() OVER (ORDER BY length(id), id), id, version, gone FROM (
        SELECT id, listed.version, 0 AS gone
        FROM listed
        LEFT JOIN records USING (stream, id)
        LEFT JOIN refused USING (stream, id)
        WHERE stream = :stream AND NOT gone AND (
            :reread OR listed.version = '' OR records.version IS NOT listed.version
            OR (:retry AND refused.id IS NOT NULL)
        )
        UNION ALL
        SELECT id, '', 0
        FROM refused
        WHERE stream = :stream AND :retry
            AND id NOT IN (SELECT id FROM listed WHERE stream = :stream)
        UNION ALL
        SELECT id, '', 1
        FROM listed
        LEFT JOIN records USING (stream, id)
        WHERE stream = :stream AND gone AND records.status IS NOT 'deleted'
    )"""


def oldest_kept(keep_days: int, *, today: str) -> str:
    """The first day whose records are kept when those of the last `keep_days` are."""
    return (datetime.fromisoformat(today) - timedelta(days=keep_days)).date().isoformat()


def iso(moment: float) -> str:
    """A time stamp as ISO text in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _take_over_journals(db: Database, folder: Path) -> None:
    """Reads the text files that version 0.1 kept instead of this database, and deletes them.

    A stream that the database knows was taken over before: a kill came before the deletion.
    """
    for stream in STREAMS:
        base = folder / stream.replace("/", "-")
        if files := list(folder.glob(f"{base.name}.*")):
            with transaction(db):
                if not db.execute("SELECT 1 FROM runs WHERE stream = ?", [stream]).fetchone():
                    _take_over_stream(db, stream, base)
            for file in files:
                file.unlink()
    for file in folder.glob("*.credits"):
        spent = json.loads(file.read_bytes())
        rows = [(file.stem, int(bucket), credits) for bucket, credits in spent.items()]
        with transaction(db):
            db.conn.executemany("INSERT OR REPLACE INTO credits VALUES (?, ?, ?)", rows)
        file.unlink()


def _take_over_stream(db: Database, stream: str, base: Path) -> None:
    state = json.loads("".join(_whole_lines(base, "state")) or "{}")
    span = state.get("span")
    run = SyncRun(**{_NEW_NAMES.get(name, name): span[name] for name in span}) if span else None
    known = StreamState(db, stream)
    known._set_progress(Progress(state.get("phase", "idle"), run, state.get("start", 0)))
    cursors, rechecked = state.get("cursors", {}), state.get("looks", {})
    known._write_all(
        "INSERT INTO cursors VALUES (?, ?, ?, ?)",
        (
            (department, cursors.get(department, ""), rechecked.get(department, ""))
            for department in {*cursors, *rechecked}
        ),
    )
    for position, items, gone in map(json.loads, _whole_lines(base, "listing")):
        known.add_page(Page(position, tuple(map(tuple, items)), tuple(gone)))
    planned = (line.split("\t") for line in _whole_lines(base, "todo"))
    known._write_all(
        "INSERT INTO planned VALUES (?, ?, ?, ?, ?)",
        (
            (number, record_id, version, kind == "gone")
            for number, (kind, record_id, version) in enumerate(planned, start=1)
        ),
    )
    records = (line.split("\t") for line in _whole_lines(base, "known"))
    known._write_all(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
        (
            (record_id, version, day, _OLD_STATUS.get(day, "kept"))
            for record_id, day, version in records
        ),
    )
    refused = (line.partition("\t") for line in _whole_lines(base, "refused"))
    known._write_all(
        "INSERT OR REPLACE INTO refused VALUES (?, ?, ?)",
        ((record_id, run is not None and until == run.until) for record_id, _, until in refused),
    )


_NEW_NAMES = {
    "scope": "department",
    "again": "reread",
    "full_look": "recheck",
    "retry": "retry_refused",
}
_OLD_STATUS = {"-": "expired", "x": "deleted"}


def _whole_lines(base: Path, kind: str) -> list[str]:
    """The lines of a file, without half a last line; the state is one line without an end."""
    file = base.with_name(f"{base.name}.{kind}")
    if not file.is_file():
        return []
    content = file.read_text(encoding="utf-8")
    return [content] if kind == "state" else content.split("\n")[:-1]
