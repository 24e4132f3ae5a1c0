"""Opening the product's database."""

from __future__ import annotations

from pathlib import Path

from sqlite_utils import Database

from backend.store.migrations import migrations
from backend.system.database import open_migrated


def open_database(path: Path) -> Database:
    """The product's database, made or migrated to this version's schema if need be.

    Raises what `open_migrated` raises.
    """
    return open_migrated(path, migrations)
