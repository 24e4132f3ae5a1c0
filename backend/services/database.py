"""The product's database, open for as long as a block takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from backend.store.database import open_database

__all__ = ["Database", "opened"]


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The database, made or migrated if need be, closed at the end."""
    db = open_database(path)
    with closing(db.conn):
        yield db
