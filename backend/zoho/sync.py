"""An export from Desk or CRM: every stream of the product, what was interrupted first.

One run of one stream: list ids, read them in order, then tidy up. Goes on after any kill.

listing → (pages of ids noted) → reading → (one line for each id) → closing → compacting → idle.
Each step can be done again without harm, and what is written depends only on what Zoho holds: ids
are read in the order of their number, whatever was killed when.

What a run is to read, and which records stay no longer: from what is listed and known.

Raw records do not stay for ever: those exported too long ago are deleted from the folder.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock, Timeout

from backend.domain.errors import Unavailable, ZohoForbidden, ZohoRecordForbidden
from backend.system.files import private_folder
from backend.zoho.client import Api, Patience
from backend.zoho.connection import Tokens
from backend.zoho.credits import DAY_SECONDS, Budget
from backend.zoho.crm import Cases, Solutions
from backend.zoho.desk import Articles, Tickets
from backend.zoho.oauth import NAMES, advice, missing
from backend.zoho.raw_file import RawFile, raw_line
from backend.zoho.sync_state import (
    BOOKS,
    DELETED,
    EXPIRED,
    Journal,
    Kept,
    Page,
    Span,
    State,
    Todo,
    iso,
)

CATCH_UPS = 3


@dataclass(frozen=True)
class Limits:
    """What an export may use, and how long its records stay."""

    credits: int = 0
    leave: int = 0
    parallel: int = 4
    keep_days: int = 0
    recheck_days: int = 7
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Wish:
    """What is to be exported; `since` (ISO) reads again also what did not change."""

    product: str
    since: str | None = None
    department: str = "*"


@dataclass
class Report:
    """What an export did, by stream; `refused` are the ids of what this user may not read."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    skipped_threads: int = 0
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)

    def add(self, stream: str, outcome: Outcome) -> None:
        """Adds one run's."""
        before = self.outcomes.get(stream, Outcome(0, 0))
        self.outcomes[stream] = Outcome(
            before.read + outcome.read, before.deleted + outcome.deleted
        )


def open_api(
    product: str, *, tokens: Tokens, budget: Budget, limits: Limits, stop: threading.Event
) -> Api:
    """The API of a product. Raises ZohoForbidden if the sign-in lacks a scope of its export."""
    connection = tokens.connection
    lacking = missing(connection.scopes, product)
    if lacking:
        raise ZohoForbidden(
            f"{NAMES[product]} cannot be exported. {advice(connection.scopes, product)}"
        )
    desk = product == "desk"
    return Api(
        product=product,
        base=f"{connection.hosts.desk}/api/v1" if desk else f"{connection.hosts.crm}/crm/v8",
        tokens=tokens,
        budget=budget,
        headers={"orgId": connection.org_id} if desk else {},
        patience=limits.patience,
        stop=stop,
    )


def export_all(
    wish: Wish,
    *,
    api: Api,
    folder: Path,
    limits: Limits,
    watch: Callable[[Step], None] = lambda step: None,
) -> Report:
    """Exports, from where the last export got to, into a private folder that is ours `alone`.

    Raises what a call raises; everything read until then is kept, and the next export goes on.
    """
    report = Report()
    runner = Runner(folder, limits.parallel, limits.keep_days, watch, api.stop)
    for source in sources(api):
        if unfinished := runner.unfinished(source.stream):
            report.resumed.append(source.stream)
            report.add(source.stream, runner.run(source, unfinished))
        for number in range(CATCH_UPS):
            journal = Journal(folder, source.stream)
            span = next_span(journal, wish, limits, until=api.zoho_now(), first=number == 0)
            outcome = runner.run(source, span)
            report.add(source.stream, outcome)
            if not outcome.read:
                break
        if refused := Journal(folder, source.stream).refused():
            report.refused[source.stream] = tuple(sorted(refused))
        report.skipped_threads += getattr(source, "skipped_threads", 0)
    return report


def sources(api: Api) -> Sequence[Source]:
    """The streams of a product, the short one first."""
    return (Articles(api), Tickets(api)) if api.product == "desk" else (Solutions(api), Cases(api))


def next_span(journal: Journal, wish: Wish, limits: Limits, *, until: float, first: bool) -> Span:
    """What the next run covers: all that changed since the last one, or what was wished for.

    `until` is the time by Zoho's clock: by a clock ahead of it, changes would be passed over.
    """
    state = journal.state()
    reached = max(state.cursors.get(wish.department, ""), state.cursors.get("*", ""))
    looked = state.looks.get(wish.department) or state.looks.get("*")
    age = until - datetime.fromisoformat(looked).timestamp() if looked else 0.0
    due = looked is None or age > limits.recheck_days * DAY_SECONDS
    wished = wish.since if first else None
    return Span(
        since=wished or reached or None,
        until=iso(until),
        scope=wish.department,
        again=wished is not None,
        full_look=first and (due or wished is not None),
        retry=first,
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The only export of this folder. Raises Unavailable if there is another."""
    private_folder(folder)
    private_folder(folder / BOOKS)
    try:
        with FileLock(folder / BOOKS / "lock", timeout=0, mode=0o600):
            yield
    except Timeout:
        raise Unavailable(
            f"Another export writes into {folder}. Wait for it, or name another folder."
        ) from None


_AHEAD = 4
FEW_REFUSED = 20
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Source(Protocol):
    """Where the records of one stream come from."""

    stream: str

    def pages(self, span: Span, known: Mapping[str, Kept], after: Any) -> Iterator[Page]:
        """The ids changed within the span, from where `after` (a page's `at`) left off."""
        ...

    def read(self, record_id: str) -> Mapping[str, Any] | None:
        """A record and what belongs to it; None if Zoho no longer has it.

        Raises ZohoRecordForbidden for one that is left out and tried again by the next export.
        """
        ...


@dataclass(frozen=True)
class Step:
    """How far a stream is, for whoever watches; `total` is None until it is known."""

    stream: str
    phase: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Outcome:
    """What a finished run did."""

    read: int
    deleted: int


@dataclass(frozen=True)
class Runner:
    """Runs streams into a folder with `parallel` reads at once."""

    folder: Path
    parallel: int = 4
    keep_days: int = 0
    watch: Callable[[Step], None] = lambda step: None
    stop: threading.Event = field(default_factory=threading.Event)

    def unfinished(self, stream: str) -> Span | None:
        """What an interrupted run of this stream was to cover, if there is one."""
        state = Journal(self.folder, stream).state()
        return state.span if state.phase != "idle" else None

    def run(self, source: Source, span: Span) -> Outcome:
        """Covers the span, or what an interrupted run was to cover. Raises what `source` raises.

        After an error everything read so far is kept, and the next run goes on from there.
        """
        journal = Journal(self.folder, source.stream)
        raw = RawFile(self.folder / f"{source.stream}.jsonl")
        try:
            state = journal.state()
            if state.phase == "idle":
                journal.forget_listing()
                journal.age_refused()
                state = journal.save(state.into("listing", span=span, start=raw.size))
            if state.phase == "listing":
                state = self._list(source, journal, state)
            if state.phase == "reading":
                state = self._read(source, journal, raw, state)
            todo, refused = journal.todo(), _refused_in(journal, state)
            deleted = raw.deleted_since(state.start) if state.phase == "closing" else set[str]()
            if state.phase == "closing":
                state = self._close(journal, state, todo, deleted)
            if state.phase == "compacting":
                self._compact(journal, raw, state)
            return Outcome(len(todo) - len(refused), len(deleted))
        finally:
            raw.close()

    def _list(self, source: Source, journal: Journal, state: State) -> State:
        span = _span(state)
        known, pages = journal.known(), journal.pages()
        alive = {name: kept for name, kept in known.items() if kept.day != DELETED}
        found = sum(len(page.items) for page in pages)
        self.watch(Step(source.stream, "listing", found, None))
        for page in source.pages(span, alive, pages[-1].at if pages else None):
            journal.add_page(page)
            pages.append(page)
            found += len(page.items)
            self.watch(Step(source.stream, "listing", found, None))
        refused = journal.refused() if span.retry else {}
        journal.write_todo(plan(pages, known, again=span.again, refused=refused))
        state = journal.save(state.into("reading"))
        journal.forget_listing()
        return state

    def _read(self, source: Source, journal: Journal, raw: RawFile, state: State) -> State:
        until, known = _span(state).until, len(journal.known())
        refused = _refused_in(journal, state)
        todo = [one for one in journal.todo() if one.id not in refused]
        done = raw.recover(state.start, [one.id for one in todo])
        left = todo[done:]
        self.watch(Step(source.stream, "reading", done, len(todo)))

        def line(one: Todo) -> bytes | None:
            try:
                return raw_line(one.id, None if one.gone else source.read(one.id))
            except ZohoRecordForbidden:
                return None

        lines = in_order(line, left, parallel=self.parallel, stop=self.stop)
        for number, (one, content) in enumerate(zip(left, lines, strict=True), start=done + 1):
            if content is not None:
                raw.append(content)
                done += 1
            else:
                journal.add_refused(one.id, until)
                refused.add(one.id)
                _check_refused(source.stream, refused=len(refused), given=known + done)
            self.watch(Step(source.stream, "reading", number, len(todo)))
        raw.sync()
        return journal.save(state.into("closing"))

    def _close(
        self, journal: Journal, state: State, todo: Sequence[Todo], deleted: Collection[str]
    ) -> State:
        span, known, refused = _span(state), journal.known(), _refused_in(journal, state)
        for one in todo:
            if one.id in refused:
                continue
            day = DELETED if one.id in deleted else span.until[:10]
            known[one.id] = Kept(day, one.mark)
        journal.write_known(expire(known, keep_days=self.keep_days, today=span.until[:10]))
        tried = {one.id for one in todo} - refused
        earlier = journal.refused()
        journal.write_refused({one: earlier[one] for one in earlier if one not in tried})
        cursors, looks = dict(state.cursors), dict(state.looks)
        if span.since is None or span.since <= cursors.get(span.scope, span.since):
            cursors[span.scope] = max(span.until, cursors.get(span.scope, ""))
        if span.full_look:
            looks[span.scope] = span.until
        return journal.save(state.into("compacting", cursors=cursors, looks=looks))

    def _compact(self, journal: Journal, raw: RawFile, state: State) -> None:
        expired = {name for name, kept in journal.known().items() if kept.day == EXPIRED}
        raw.compact(expired)
        journal.save(state.into("idle", span=None, start=0))


def in_order(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    *,
    parallel: int,
    stop: threading.Event,
) -> Iterator[_Result]:
    """Results in the order of their items, `parallel` at work at once.

    What fails raises in its turn, after all results before it; then `stop` is set for the others.
    """
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(parallel) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= parallel * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _refused_in(journal: Journal, state: State) -> set[str]:
    """The ids of the records that this run was refused."""
    until = _span(state).until
    return {name for name, last in journal.refused().items() if last == until}


def _check_refused(stream: str, *, refused: int, given: int) -> None:
    """Raises ZohoForbidden when so much is refused that a right is missing altogether."""
    if refused > FEW_REFUSED and refused > given:
        raise ZohoForbidden(
            f"{stream}: {refused:,} records are refused to the user who signed in, and {given:,} "
            "were given. Connect as an administrator, or leave the department out with "
            "--department. Everything read so far is kept."
        )


def _span(state: State) -> Span:
    if state.span is None:
        raise ValueError(f"a run that is {state.phase} has no span")
    return state.span


def plan(
    pages: Iterable[Page],
    known: Mapping[str, Kept],
    *,
    again: bool,
    refused: Collection[str] = (),
) -> list[Todo]:
    """What to read, by the number of the ids: each once, and not what is known and unchanged.

    Those `refused` before are tried again.
    """
    marks: dict[str, str] = {}
    gone: set[str] = set()
    for page in pages:
        marks.update(page.items)
        gone.update(page.gone)
    fresh = [
        Todo(name, mark)
        for name, mark in marks.items()
        if again or not mark or name in refused or name not in known or known[name].mark != mark
    ]
    fresh += [Todo(name) for name in refused if name not in marks and name not in gone]
    noted = {name for name, kept in known.items() if kept.day == DELETED}
    lost = [Todo(name, gone=True) for name in gone - marks.keys() - noted]
    return sorted((*fresh, *lost), key=lambda one: (len(one.id), one.id))


def expire(known: Mapping[str, Kept], *, keep_days: int, today: str) -> dict[str, Kept]:
    """The same, with records exported more than `keep_days` ago marked as expired; 0: none."""
    if not keep_days:
        return dict(known)
    oldest = (datetime.fromisoformat(today) - timedelta(days=keep_days)).date().isoformat()
    return {
        name: Kept(EXPIRED, kept.mark) if kept.day < oldest else kept
        for name, kept in known.items()
    }


STREAMS = ("desk/articles", "desk/tickets", "crm/solutions", "crm/cases")


def prune_folder(folder: Path, *, keep_days: int) -> Iterator[str]:
    """Deletes raw records exported more than `keep_days` ago; a sentence for each stream.

    What an interrupted export wrote is not counted yet: finishing it prunes too. One that is
    itself too old is given up, and what it wrote is deleted.
    """
    with alone(folder):
        for stream in STREAMS:
            file = folder / f"{stream}.jsonl"
            if file.is_file():
                yield f"{stream}: {_prune(Journal(folder, stream), file, keep_days)}"


def _prune(journal: Journal, file: Path, keep_days: int) -> str:
    state, today = journal.state(), iso(time.time())[:10]
    raw = RawFile(file)
    try:
        if state.span is not None:
            begun = expire({"": Kept(state.span.until[:10], "")}, keep_days=keep_days, today=today)
            if begun[""].day != EXPIRED:
                return "an interrupted export is younger than that. Finish it: that prunes too."
            raw.recover(state.start, [])
            state = journal.save(state.into("idle", span=None, start=0))
        known = expire(journal.known(), keep_days=keep_days, today=today)
        journal.write_known(known)
        expired = {name for name, kept in known.items() if kept.day == EXPIRED}
        before = raw.size
        raw.compact(expired)
        return f"{before - raw.size:,} bytes deleted, {raw.size:,} kept."
    finally:
        raw.close()
