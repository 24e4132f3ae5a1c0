"""Which raw lines of an export were read already, so that reading it again is quick."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlite_utils import Database


def marks(file: str, *, db: Database) -> dict[str, str]:
    """The mark of each line of a file (`desk/tickets.jsonl`) that was read, by its record's id."""
    rows = db.execute("SELECT id, mark FROM raw_lines WHERE file = ?", [file])
    return dict(rows.fetchall())


def remember(file: str, lines: Iterable[tuple[str, str, str]], *, db: Database) -> None:
    """Keep id, mark and the reason of a drop (or nothing) of lines that were read."""
    db.conn.executemany(
        "INSERT OR REPLACE INTO raw_lines (file, id, mark, dropped) VALUES (?, ?, ?, ?)",
        [(file, *line) for line in lines],
    )


def forget(file: str, ids: Iterable[str], *, db: Database) -> None:
    """Records that are gone."""
    db.execute(
        "DELETE FROM raw_lines WHERE file = ? AND id IN (SELECT value FROM json_each(?))",
        [file, json.dumps(list(ids))],
    )


def drops(*, db: Database) -> dict[str, int]:
    """How many records of all exports were dropped, by reason."""
    rows = db.execute(
        "SELECT dropped, count(*) FROM raw_lines WHERE dropped <> '' GROUP BY dropped ORDER BY 1"
    )
    return dict(rows.fetchall())


def used(file: str, ids: Iterable[str], *, db: Database) -> int:
    """How many of these records were not dropped."""
    found = db.execute(
        """SELECT count(*) FROM raw_lines WHERE file = ? AND dropped = '' AND id IN
           (SELECT value FROM json_each(?))""",
        [file, json.dumps(list(ids))],
    )
    return int(found.fetchone()[0])
