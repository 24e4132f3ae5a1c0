"""A row of steps, each writing one file, that goes on where it was broken off.

What a step made is noted with the hash of the file and a mark of what it was made from. A step
whose file still has this hash, made from the same, is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.cleaning.files import sha256_of
from trainer.record import fingerprint
from trainer.whole_files import write_whole

_NOTES = "steps.json"


@dataclass(frozen=True)
class Steps:
    """The folder in which the files of the steps lie."""

    folder: Path

    def file(self, name: str, made_from: str, make: Callable[[Path], None]) -> Path:
        """The file of a step, made now unless it was finished before."""
        path, notes = self.folder / name, self._notes()
        if self.has(name, made_from) and sha256_of(path) == notes[name]["sha256"]:
            return path
        unfinished = self.folder / f"unfinished-{name}"
        make(unfinished)
        unfinished.replace(path)
        notes[name] = {"from": made_from, "sha256": sha256_of(path)}
        write_whole(self.folder / _NOTES, json.dumps(notes, indent=1) + "\n")
        return path

    def has(self, name: str, made_from: str) -> bool:
        """Whether a step's file was finished and made from this, without reading it whole."""
        same = self._notes().get(name, {}).get("from") == made_from
        return same and (self.folder / name).is_file()

    def made(self, name: str) -> str:
        """The hash of a finished step's file; the next step is made from it."""
        return self._notes()[name]["sha256"]

    def _notes(self) -> dict[str, dict[str, str]]:
        try:
            notes: dict[str, dict[str, str]] = json.loads((self.folder / _NOTES).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return notes


def mark_of_folder(folder: Path) -> str:
    """Changes when a file of the folder changes: by size and time, small ones by content too."""
    parts: list[object] = []
    for path in sorted(one for one in folder.iterdir() if one.is_file()):
        state = path.stat()
        small = state.st_size < 1_000_000
        parts += [path.name, state.st_size, sha256_of(path) if small else state.st_mtime_ns]
    return fingerprint(*parts)
