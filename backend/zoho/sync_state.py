"""What a run of one stream remembers between interruptions, in `.export/` of the raw folder.

Five small files a stream, none with a customer's word in it: `state` (where the run is), `listing`
(the pages of ids listed so far), `todo` (what is to be read, in order), `known` (id, day of export
and mark of every record, so that the unchanged are not read twice and the deleted are noticed), and
`refused` (ids of records that the user who signed in may not read).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from backend.domain.errors import ZohoError
from backend.system.files import open_private, private_folder, write_all, write_private

BOOKS = ".export"
EXPIRED, DELETED = "-", "x"
Phase = Literal["idle", "listing", "reading", "closing", "compacting"]


@dataclass(frozen=True)
class Span:
    """What one run covers: records changed from `since` (None: ever) until `until`, both ISO.

    `scope` is a department's id or "*". `again` reads also what did not change. `full_look` asks
    for the slow looks too: archived tickets, and which known records have disappeared. `retry`
    tries again what was refused before.
    """

    since: str | None
    until: str
    scope: str = "*"
    again: bool = False
    full_look: bool = True
    retry: bool = False


@dataclass(frozen=True)
class Page:
    """Some ids of a listing: with a mark that changes when the record does, or gone.

    `at` is where the listing can go on from, as JSON.
    """

    at: Any
    items: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Todo:
    """One record to read, or to note as gone."""

    id: str
    mark: str = ""
    gone: bool = False

    def __post_init__(self) -> None:
        if set("\t\n\r") & set(self.id + self.mark):
            raise ZohoError(
                f"Zoho lists the record {self.id!r} with a line break in its id or time."
            )


@dataclass(frozen=True)
class Kept:
    """When a known record was exported (a date, EXPIRED or DELETED) and its mark at that time."""

    day: str
    mark: str


@dataclass(frozen=True)
class State:
    """Where a stream's run is. `cursors` are, by scope, up to when everything is exported."""

    phase: Phase = "idle"
    span: Span | None = None
    start: int = 0
    cursors: Mapping[str, str] = field(default_factory=dict)
    looks: Mapping[str, str] = field(default_factory=dict)

    def into(self, phase: Phase, **changes: Any) -> State:
        """The state of the next phase."""
        return replace(self, phase=phase, **changes)


class Journal:
    """The five files of one stream, such as `desk/tickets`."""

    def __init__(self, folder: Path, stream: str) -> None:
        private_folder(folder / BOOKS)
        self._base = folder / BOOKS / stream.replace("/", "-")

    def state(self) -> State:
        """Where the last run is; idle at first."""
        text = _read(self._file("state"))
        if not text:
            return State()
        found = json.loads(text)
        span = Span(**found.pop("span")) if found.get("span") else found.pop("span", None)
        return State(**found, span=span)

    def save(self, state: State) -> State:
        """Notes where the run is, whole or not at all."""
        write_private(self._file("state"), json.dumps(asdict(state)).encode())
        return state

    def add_page(self, page: Page) -> None:
        """Notes one more page of the listing."""
        row = json.dumps([page.at, page.items, page.gone], separators=(",", ":"))
        self._append("listing", row)

    def pages(self) -> list[Page]:
        """The whole pages of the listing; half a last line is taken away."""
        return [
            Page(at, tuple((name, mark) for name, mark in items), tuple(gone))
            for at, items, gone in map(json.loads, self._whole_lines("listing"))
        ]

    def forget_listing(self) -> None:
        """Begins a listing, or ends one."""
        self._file("listing").unlink(missing_ok=True)

    def write_todo(self, todo: Iterable[Todo]) -> None:
        """Notes what is to be read."""
        rows = (f"{'gone' if one.gone else 'read'}\t{one.id}\t{one.mark}\n" for one in todo)
        write_private(self._file("todo"), "".join(rows).encode())

    def todo(self) -> list[Todo]:
        """What is to be read, in order."""
        rows = (row.split("\t") for row in _read(self._file("todo")).decode().splitlines())
        return [Todo(name, mark, kind == "gone") for kind, name, mark in rows]

    def known(self) -> dict[str, Kept]:
        """Every record that was exported or noted as deleted, by id."""
        rows = (row.split("\t") for row in _read(self._file("known")).decode().splitlines())
        return {name: Kept(day, mark) for name, day, mark in rows}

    def write_known(self, known: Mapping[str, Kept]) -> None:
        """Notes every record that was exported or is deleted."""
        rows = (f"{name}\t{kept.day}\t{kept.mark}\n" for name, kept in known.items())
        write_private(self._file("known"), "".join(rows).encode())

    def refused(self) -> dict[str, str]:
        """By id, the `until` of the run that a record was last refused in, "" if that is over."""
        rows = (row.decode().partition("\t") for row in self._whole_lines("refused"))
        return {name: until for name, _, until in rows}

    def add_refused(self, record_id: str, until: str) -> None:
        """Notes one more refused record."""
        self._append("refused", f"{record_id}\t{until}")

    def age_refused(self) -> None:
        """Notes that all refused so far were refused by earlier runs.

        The `until` alone cannot tell: two runs within a second have the same.
        """
        if earlier := self.refused():
            self.write_refused(dict.fromkeys(earlier, ""))

    def write_refused(self, refused: Mapping[str, str]) -> None:
        """Notes all refused records."""
        rows = (f"{name}\t{until}\n" for name, until in refused.items())
        write_private(self._file("refused"), "".join(rows).encode())

    def _append(self, kind: str, row: str) -> None:
        descriptor = open_private(self._file(kind))
        try:
            write_all(descriptor, row.encode() + b"\n")
        finally:
            os.close(descriptor)

    def _whole_lines(self, kind: str) -> list[bytes]:
        """The lines of a file that is appended to; half a last line is taken away."""
        content = _read(self._file(kind))
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            write_private(self._file(kind), whole)
        return whole.splitlines()

    def _file(self, kind: str) -> Path:
        return self._base.with_name(f"{self._base.name}.{kind}")


def iso(moment: float) -> str:
    """A time stamp as ISO text in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""
