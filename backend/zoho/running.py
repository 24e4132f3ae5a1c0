"""One run of one stream: list ids, read them in order, then tidy up. Goes on after any kill.

listing → (pages of ids noted) → reading → (one line for each id) → closing → compacting → idle.
Each step can be done again without harm, and what is written depends only on what Zoho holds: ids
are read in the order of their number, whatever was killed when.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from backend.zoho.journal import EXPIRED, Journal, Kept, Page, Span, State, Todo
from backend.zoho.raw_file import RawFile, raw_line

_AHEAD = 4
_Item = TypeVar("_Item")


class Source(Protocol):
    """Where the records of one stream come from."""

    stream: str

    def pages(self, span: Span, known: Mapping[str, Kept], after: Any) -> Iterator[Page]:
        """The ids changed within the span, from where `after` (a page's `at`) left off."""
        ...

    def read(self, record_id: str) -> Mapping[str, Any] | None:
        """A record and what belongs to it; None if Zoho no longer has it."""
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
                state = journal.save(state.into("listing", span=span, start=raw.size))
            if state.phase == "listing":
                state = self._list(source, journal, state)
            if state.phase == "reading":
                state = self._read(source, journal, raw, state)
            todo = journal.todo()
            if state.phase == "closing":
                state = self._close(journal, raw, state, todo)
            if state.phase == "compacting":
                self._compact(journal, raw, state)
            return Outcome(len(todo), sum(one.gone for one in todo))
        finally:
            raw.close()

    def _list(self, source: Source, journal: Journal, state: State) -> State:
        span = _span(state)
        known, pages = journal.known(), journal.pages()
        found = sum(len(page.items) for page in pages)
        self.watch(Step(source.stream, "listing", found, None))
        for page in source.pages(span, known, pages[-1].at if pages else None):
            journal.add_page(page)
            pages.append(page)
            found += len(page.items)
            self.watch(Step(source.stream, "listing", found, None))
        journal.write_todo(plan(pages, known, again=span.again))
        state = journal.save(state.into("reading"))
        journal.forget_listing()
        return state

    def _read(self, source: Source, journal: Journal, raw: RawFile, state: State) -> State:
        todo = journal.todo()
        done = raw.recover(state.start, [one.id for one in todo])
        self.watch(Step(source.stream, "reading", done, len(todo)))

        def line(one: Todo) -> bytes:
            return raw_line(one.id, None if one.gone else source.read(one.id))

        for content in in_order(line, todo[done:], parallel=self.parallel, stop=self.stop):
            raw.append(content)
            done += 1
            self.watch(Step(source.stream, "reading", done, len(todo)))
        raw.sync()
        return journal.save(state.into("closing"))

    def _close(self, journal: Journal, raw: RawFile, state: State, todo: Sequence[Todo]) -> State:
        span, known = _span(state), journal.known()
        deleted = raw.deleted_since(state.start)
        for one in todo:
            if one.id in deleted:
                known.pop(one.id, None)
            else:
                known[one.id] = Kept(span.until[:10], one.mark)
        journal.write_known(expire(known, keep_days=self.keep_days, today=span.until[:10]))
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


def plan(pages: Iterable[Page], known: Mapping[str, Kept], *, again: bool) -> list[Todo]:
    """What to read, by the number of the ids: each once, and not what is known and unchanged."""
    marks: dict[str, str] = {}
    gone: set[str] = set()
    for page in pages:
        marks.update(page.items)
        gone.update(page.gone)
    fresh = [
        Todo(name, mark)
        for name, mark in marks.items()
        if again or not mark or name not in known or known[name].mark != mark
    ]
    lost = [Todo(name, gone=True) for name in gone - marks.keys()]
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


def in_order(
    work: Callable[[_Item], bytes],
    items: Sequence[_Item],
    *,
    parallel: int,
    stop: threading.Event,
) -> Iterator[bytes]:
    """Results in the order of their items, `parallel` at work at once.

    What fails raises in its turn, after all results before it; then `stop` is set for the others.
    """
    waiting: deque[Future[bytes]] = deque()
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


def now() -> str:
    """This moment as ISO text in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _span(state: State) -> Span:
    if state.span is None:
        raise ValueError(f"a run that is {state.phase} has no span")
    return state.span
