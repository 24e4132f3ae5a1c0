"""An export of Desk or CRM: each stream is brought up to date, what was interrupted first.

    listing → (pages of ids noted) → reading → (a line for each id) → closing → compacting → idle

Each step can be done again without harm, and what is written depends only on what Zoho holds: ids
are read in the order of their number, whatever was killed when. How far a run got is read from the
raw file itself, so no second note can disagree: a later line with an id replaces an earlier one,
and `{"id":…,"deleted":true}` says that Zoho no longer has the record.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from backend.domain.errors import DiskFull, ZohoForbidden, ZohoRecordForbidden
from backend.system.files import PRIVATE_MODE, open_private, private_folder, whole_file, write_all
from backend.zoho.client import Api, RetryPolicy
from backend.zoho.crm import Cases, Solutions
from backend.zoho.desk import Articles, Tickets
from backend.zoho.sync_state import (
    STREAMS,
    ExportFolder,
    Page,
    PlannedRecord,
    StreamState,
    SyncRun,
    iso,
    oldest_kept,
    open_export_folder,
)

CATCH_UPS = 3
FEW_REFUSED = 20
_READ_AHEAD = 4
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
Watch = Callable[[str, str, int, int | None], None]
"""Told the stream, the phase, how many records are done, and of how many (None: not known yet)."""
_ID = re.compile(rb'\{"id":"([^"\\]+)"')
_DELETED = b',"deleted":true}\n'
_SYNC_EVERY = 256


@dataclass(frozen=True)
class Limits:
    """What an export may use, and how long its records stay."""

    credits: int = 0
    leave: int = 0
    parallel: int = 4
    keep_days: int = 0
    recheck_days: int = 7
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class ExportRequest:
    """What is to be exported; `since` (ISO) reads again also what did not change."""

    product: str
    since: str | None = None
    department: str = "*"


@dataclass(frozen=True)
class Outcome:
    """What a finished run did."""

    read: int
    deleted: int

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.read + other.read, self.deleted + other.deleted)


@dataclass
class ExportReport:
    """What an export did, by stream; `refused` are the ids of what this user may not read."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    skipped_threads: int = 0
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)

    def add(self, stream: str, outcome: Outcome) -> None:
        """Adds one run's."""
        self.outcomes[stream] = self.outcomes.get(stream, Outcome(0, 0)) + outcome


class Source(Protocol):
    """Where the records of one stream come from."""

    stream: str

    def pages(self, run: SyncRun, known: Sequence[str], after: Any) -> Iterator[Page]:
        """The ids that the run covers, from where `after` (a page's position) left off.

        `known` are the ids that Zoho had when last asked, in order.
        """
        ...

    def read(self, record_id: str) -> Mapping[str, Any] | None:
        """A record and what belongs to it; None if Zoho no longer has it.

        Raises ZohoRecordForbidden for one that is left out and tried again by the next export.
        """
        ...


def export_all(
    request: ExportRequest,
    *,
    api: Api,
    folder: ExportFolder,
    limits: Limits,
    watch: Watch = lambda stream, phase, done, total: None,
) -> ExportReport:
    """Exports all streams of the product, from where the last export got to.

    Raises what a call raises, and DiskFull; everything read until then is kept, and the next
    export goes on.
    """
    report = ExportReport()
    try:
        for source in sources(api):
            sync = StreamSync(folder, source, limits.parallel, limits.keep_days, watch, api.stop)
            _export_stream(sync, request, api=api, limits=limits, report=report)
    except DiskFull as error:
        raise DiskFull(
            "The disk is full. What was read so far is kept: make room, then run the export "
            "again, and it goes on from there."
        ) from error
    return report


def sources(api: Api) -> Sequence[Source]:
    """The streams of a product, the short one first."""
    return (Articles(api), Tickets(api)) if api.product == "desk" else (Solutions(api), Cases(api))


def _export_stream(
    sync: StreamSync, request: ExportRequest, *, api: Api, limits: Limits, report: ExportReport
) -> None:
    """An interrupted run first, then a run, and a few short ones for what changed meanwhile."""
    stream, state = sync.source.stream, sync.state
    if unfinished := state.progress().run:
        report.resumed.append(stream)
        report.add(stream, sync.run(unfinished))
    for number in range(CATCH_UPS):
        run = next_run(state, request, limits, until=api.zoho_now(), first=number == 0)
        outcome = sync.run(run)
        report.add(stream, outcome)
        if not outcome.read:
            break
    if refused := state.refused():
        report.refused[stream] = refused
    report.skipped_threads += getattr(sync.source, "skipped_threads", 0)


def next_run(
    state: StreamState, request: ExportRequest, limits: Limits, *, until: float, first: bool
) -> SyncRun:
    """What the next run covers: all that changed since the last one, or what was asked for.

    `until` is the time by Zoho's clock: by a clock ahead of it, changes would be passed over.
    """
    cursor = state.cursor(request.department)
    due = (
        not cursor.rechecked
        or until
        > (
            datetime.fromisoformat(cursor.rechecked) + timedelta(days=limits.recheck_days)
        ).timestamp()
    )
    asked_since = request.since if first else None
    return SyncRun(
        since=asked_since or cursor.exported_until or None,
        until=iso(until),
        department=request.department,
        reread=asked_since is not None,
        recheck=first and (due or asked_since is not None),
        retry_refused=first,
    )


@dataclass(frozen=True)
class StreamSync:
    """Brings the raw file of one stream up to date, with `parallel` reads at once."""

    folder: ExportFolder
    source: Source
    parallel: int = 4
    keep_days: int = 0
    watch: Watch = lambda stream, phase, done, total: None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def state(self) -> StreamState:
        """What is remembered of the stream."""
        return self.folder.state(self.source.stream)

    def run(self, run: SyncRun) -> Outcome:
        """Does the run, or the rest of an interrupted one. Raises what the source raises.

        After an error everything read so far is kept, and the next run goes on from there.
        """
        state = self.state
        with closing(RawFile(self.folder.raw_path(self.source.stream))) as raw:
            if state.progress().phase == "idle":
                state.begin(run, start=raw.size)
            if state.progress().phase == "listing":
                self._list(state)
            if state.progress().phase == "reading":
                self._read(state, raw)
            deleted = set[str]()
            if state.progress().phase == "closing":
                deleted = raw.deleted_since(state.progress().start)
                state.close(deleted, keep_days=self.keep_days)
            read = len(state.planned())
            raw.compact(state.expired())
            state.finish()
        return Outcome(read, len(deleted))

    def _list(self, state: StreamState) -> None:
        run, found = state.progress().current_run, state.count_listed()
        self._tell("listing", found, None)
        for page in self.source.pages(run, state.existing(), state.listing_position()):
            state.add_page(page)
            found += len(page.items)
            self._tell("listing", found, None)
        state.plan()

    def _read(self, state: StreamState, raw: RawFile) -> None:
        planned = state.planned()
        done = raw.recover(state.progress().start, [record.id for record in planned])
        left, given = planned[done:], state.count_known() + done
        self._tell("reading", done, len(planned))
        lines = in_order(self._line, left, parallel=self.parallel, stop=self.stop)
        for number, (record, line) in enumerate(zip(left, lines, strict=True), start=done + 1):
            if line is not None:
                raw.append(line)
                given += 1
            else:
                state.refuse(record.id)
                check_refused(self.source.stream, refused=state.count_refused_now(), given=given)
            self._tell("reading", number, len(planned))
        raw.sync()
        state.finish_reading()

    def _line(self, record: PlannedRecord) -> bytes | None:
        """A record as its line in the raw file; None if the user may not read it."""
        try:
            return raw_line(record.id, None if record.gone else self.source.read(record.id))
        except ZohoRecordForbidden:
            return None

    def _tell(self, phase: str, done: int, total: int | None) -> None:
        self.watch(self.source.stream, phase, done, total)


def check_refused(stream: str, *, refused: int, given: int) -> None:
    """Raises ZohoForbidden when so much is refused that a right is missing altogether."""
    if refused > FEW_REFUSED and refused > given:
        raise ZohoForbidden(
            f"{stream}: {refused:,} records are refused to the user who signed in, and {given:,} "
            "were given. Connect as an administrator, or leave the department out with "
            "--department. Everything read so far is kept."
        )


def in_order(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    *,
    parallel: int,
    stop: threading.Event,
) -> Iterator[_Result]:
    """Results in the order of their items, worked on by `parallel` threads.

    What fails raises in its turn, after all results before it; then `stop` is set for the others.
    """
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(parallel) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= parallel * _READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def prune_folder(path: Path, *, keep_days: int) -> Iterator[str]:
    """Deletes raw records exported more than `keep_days` ago; a sentence for each stream.

    What an interrupted export wrote is not counted yet: finishing it prunes too. One that is
    itself too old is given up, and what it wrote is deleted.
    """
    with open_export_folder(path) as folder:
        for stream in STREAMS:
            file = folder.raw_path(stream)
            if file.is_file():
                with closing(RawFile(file)) as raw:
                    yield f"{stream}: {_prune(folder.state(stream), raw, keep_days)}"


def _prune(state: StreamState, raw: RawFile, keep_days: int) -> str:
    progress, today = state.progress(), iso(time.time())[:10]
    if progress.run is not None:
        if progress.run.until[:10] >= oldest_kept(keep_days, today=today):
            return "an interrupted export is younger than that. Finish it: that prunes too."
        raw.recover(progress.start, [])
        state.finish()
    state.expire(keep_days=keep_days, today=today)
    before = raw.size
    raw.compact(state.expired())
    return f"{before - raw.size:,} bytes deleted, {raw.size:,} kept."


def raw_line(record_id: str, body: Mapping[str, Any] | None) -> bytes:
    """A record as its line; None means that Zoho no longer has it."""
    row = {"id": record_id, **({"deleted": True} if body is None else body)}
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"


class RawFile:
    """A JSONL file that one run at a time appends to."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self.path = path
        self._descriptor = open_private(path)
        self._unsynced = 0

    def close(self) -> None:
        """Makes sure of the disk and lets go of the file."""
        self.sync()
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def append(self, line: bytes) -> None:
        """Adds one line. A crash leaves at most a part of it, which `recover` takes away."""
        write_all(self._descriptor, line)
        self._unsynced += 1
        if self._unsynced >= _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Waits until the disk has everything."""
        os.fsync(self._descriptor)
        self._unsynced = 0

    def recover(self, start: int, ids: Sequence[str]) -> int:
        """How many of these ids have their line, in this order, from byte `start` on.

        Whatever follows the last good line is cut off: half a line, or what a power cut left.
        """
        start = good = min(start, self.size)
        done = 0
        with self.path.open("rb") as lines:
            lines.seek(start)
            for record_id in ids:
                line = lines.readline()
                found = _ID.match(line)
                whole = line.endswith(b"}\n") and b"\0" not in line
                if not whole or found is None or found[1] != record_id.encode():
                    break
                good += len(line)
                done += 1
        os.ftruncate(self._descriptor, good)
        return done

    def deleted_since(self, start: int) -> set[str]:
        """The ids whose line from byte `start` on says that they are deleted."""
        with self.path.open("rb") as lines:
            lines.seek(min(start, self.size))
            return {_id(line) for line in lines if line.endswith(_DELETED)}

    def compact(self, expired: Collection[str]) -> bool:
        """Deduplication: the last line of each id stays, no expired one. Whether it changed."""
        last: dict[str, int] = {}
        count = 0
        for count, line in enumerate(self._lines(), start=1):
            last[_id(line)] = count
        keep = {number for name, number in last.items() if name not in expired}
        if len(keep) == count:
            return False
        with whole_file(self.path, mode=PRIVATE_MODE) as fresh, fresh.open("wb") as kept:
            for number, line in enumerate(self._lines(), start=1):
                if number in keep:
                    kept.write(line)
        os.close(self._descriptor)
        self._descriptor = open_private(self.path)
        return True

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as lines:
            yield from lines


def _id(line: bytes) -> str:
    found = _ID.match(line)
    return found[1].decode() if found else ""
