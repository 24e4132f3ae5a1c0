"""An export folder: which lines count, and where they stand.

A later line with an id replaces an earlier one, and a line can say that its record is gone. Only
places are kept in memory, so a file of any size can be read; a file without its last line break
may still be written, so its last line is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput

TICKETS = ("desk/tickets.jsonl", "crm/cases.jsonl")
ARTICLES = ("desk/articles.jsonl", "crm/solutions.jsonl")
_ID = re.compile(rb'^\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"\s*,')
_GONE = re.compile(rb'^\s*\{\s*"id"\s*:\s*"[^"\\]{1,200}"\s*,\s*"deleted"\s*:\s*true\s*\}\s*$')


@dataclass(frozen=True)
class Lines:
    """The lines of one file that count, in the order of their ids, and the ids that are gone."""

    path: Path
    ids: tuple[str, ...]
    places: tuple[int, ...]
    gone: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def raw_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Those of the named files that the export folder has.

    Raises BadInput if it has none of all that an export can write.
    """
    if not any((folder / name).is_file() for name in (*TICKETS, *ARTICLES)):
        raise BadInput(
            f"{folder} is no export folder: it has none of {', '.join((*TICKETS, *ARTICLES))}. "
            "`suggest-answer zoho export` writes one."
        )
    return [folder / name for name in names if (folder / name).is_file()]


def lines_that_count(path: Path) -> Lines:
    """Which lines of a file count. Raises BadInput, naming the line, for one without an id."""
    places: dict[str, int] = {}
    gone: dict[str, None] = {}
    for number, place, line in _numbered(path):
        id_, deleted = _told(line, path, number)
        places.pop(id_, None)
        gone.pop(id_, None)
        if deleted:
            gone[id_] = None
        else:
            places[id_] = place
    ids = sorted(places, key=in_order)
    return Lines(path, tuple(ids), tuple(places[id_] for id_ in ids), tuple(sorted(gone)))


def line_at(path: Path, places: Sequence[int]) -> Iterator[bytes]:
    """The lines that begin at these places."""
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            yield file.readline()


def parsed(line: bytes) -> dict[str, Any]:
    """A line's object. Raises BadInput if it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"This line is no JSON ({error}): {line[:80]!r}.") from error
    if not isinstance(row, dict):
        raise BadInput(f"This line is no JSON object: {line[:80]!r}.")
    return row


def in_order(id_: str) -> tuple[int, str]:
    """A key that sorts Zoho's numbers by their value and other ids after those of their length."""
    return len(id_), id_


def _numbered(path: Path) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip() and line.endswith(b"\n"):
                    yield number, place, line
                place += len(line)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def _told(line: bytes, path: Path, number: int) -> tuple[str, bool]:
    """A line's id and whether its record is gone; a long line is not parsed for that."""
    if found := _ID.match(line):
        return found[1].decode("utf-8", "replace"), bool(_GONE.match(line))
    try:
        row = parsed(line)
    except BadInput as error:
        raise BadInput(f"{path}, line {number}: {error}") from error
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise BadInput(f"{path}, line {number}, is no object with an id.")
    return row["id"], row.get("deleted") is True
