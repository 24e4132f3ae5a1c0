"""One run of one stream: list ids, read them in order, then tidy up. Goes on after any kill.

listing → (pages of ids noted) → reading → (one line for each id) → closing → compacting → idle.
Each step can be done again without harm, and what is written depends only on what Zoho holds: ids
are read in the order of their number, whatever was killed when.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from backend.domain.errors import ZohoForbidden, ZohoRecordForbidden
from backend.zoho.journal import DELETED, EXPIRED, Journal, Kept, Page, Span, State, Todo
from backend.zoho.planning import expire, plan
from backend.zoho.raw_file import RawFile, raw_line

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
