"""What commands share: the settings they start from, and the database."""

from __future__ import annotations

import fcntl
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from backend.services import database
from backend.services.database import Database
from backend.settings import Settings, read_settings
from backend.system.processes import SERVE_LOCK


@dataclass
class Start:
    """Settings given on the command line, by name."""

    overrides: dict[str, Any] = field(default_factory=dict)

    def settings(self, **more: Any) -> Settings:
        """The settings in force, with what this command adds."""
        self.overrides |= {name: value for name, value in more.items() if value is not None}
        return read_settings(**self.overrides)


def opened(settings: Settings) -> AbstractContextManager[Database]:
    """The database, closed at the end."""
    return database.opened(settings.database)


def is_serving(settings: Settings) -> bool:
    """Whether a supervisor runs on this state directory."""
    file = settings.state_dir / SERVE_LOCK
    if not file.is_file():
        return False
    with file.open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
