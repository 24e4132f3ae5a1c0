"""Desk's tickets as a source of records: each with its whole conversation, archived ones too."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from backend.domain.errors import ZohoError, ZohoForbidden, ZohoNotFound
from backend.zoho.answers import moment_of, record_of, rows_of
from backend.zoho.calls import Api
from backend.zoho.credits import LIST_PAGE
from backend.zoho.desk_lists import (
    BEGINNING,
    EARLIEST,
    READS_OF_ONE_LIST,
    Json,
    Place,
    Shifted,
    pages,
    whole,
    windows,
)
from backend.zoho.hosts import same_host
from backend.zoho.journal import Kept, Page, Span

OVERLAP = timedelta(minutes=15)
"""Search lags behind the tickets, so each run looks a little further back than the last one got."""
CLOCK_GRAIN = timedelta(seconds=2)
"""Zoho tells its time in whole seconds: what changed in this one is still looked for."""
IDS_IN_A_SEARCH = 50
READS_OF_A_BUSY_TICKET = 3


class Tickets:
    """Tickets of one department or of all, archived ones too."""

    stream = "desk/tickets"

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self.skipped_threads = 0

    def pages(self, span: Span, known: Mapping[str, Kept], after: Any) -> Iterator[Page]:
        """Changed tickets; on a full look also archived ones, and known ones that have gone."""
        stage, place = after or ("search", None)
        if stage == "search":
            yield from self._changed(span, place)
        if not span.full_look:
            return
        if stage in ("search", "archive"):
            yield from self._archived(span, place if stage == "archive" else None)
        if span.scope == "*":
            yield from self._gone(sorted(known), int(place or 0) if stage == "gone" else 0)

    def _changed(self, span: Span, place: Any) -> Iterator[Page]:
        """By creation, which never moves; later also by change, in case Desk sets one alone."""
        start = datetime.fromisoformat(span.since) - OVERLAP if span.since else EARLIEST
        end = datetime.fromisoformat(span.until) + CLOCK_GRAIN
        done, reached = place or (0, "")
        asked = {} if span.scope == "*" else {"departmentId": span.scope}
        for number, axis in enumerate(("createdTime", "modifiedTime")[: 2 if span.since else 1]):
            here = datetime.fromisoformat(reached) if number == done and reached else start
            if number < done or here >= end:
                continue
            for stop, rows in windows(self._api, asked, axis, here, end):
                items = tuple((str(row["id"]), str(row.get("modifiedTime") or "")) for row in rows)
                self._seen.update(one for one, _ in items)
                yield Page(("search", (number, stop.isoformat())), items)

    def _archived(self, span: Span, place: Any) -> Iterator[Page]:
        names = [span.scope] if span.scope != "*" else self.departments()
        done, here = place or (0, BEGINNING)
        for number, name in enumerate(names):
            if number >= done:
                yield from self._archived_of(span, name, number, tuple(here))
                here = BEGINNING

    def _archived_of(self, span: Span, name: str, number: int, here: Place) -> Iterator[Page]:
        asked, path = {"departmentId": name}, "tickets/archivedTickets"
        for _ in range(READS_OF_ONE_LIST):
            try:
                for place, rows in pages(self._api, path, asked, limit=100, place=here):
                    self._seen.update(str(row["id"]) for row in rows)
                    wanted = (row for row in rows if _is_within(row, span))
                    items = tuple((str(row["id"]), _archived_mark(row)) for row in wanted)
                    yield Page(("archive", (number, place)), items)
            except Shifted:
                here = BEGINNING
            else:
                return
        raise ZohoError(
            "The list of archived tickets changes faster than it can be read. Run the export "
            "again at a quieter time; everything read so far is kept."
        )

    def _gone(self, known: Sequence[str], place: int) -> Iterator[Page]:
        for start in range(place, len(known), IDS_IN_A_SEARCH):
            batch = [one for one in known[start : start + IDS_IN_A_SEARCH] if one not in self._seen]
            found = self._findable(batch) if batch else set()
            gone = tuple(name for name in batch if name not in found and self._is_gone(name))
            yield Page(("gone", start + IDS_IN_A_SEARCH), (), gone)

    def _findable(self, batch: Sequence[str]) -> set[str]:
        asked: dict[str, str | int] = {"id": ",".join(batch), "limit": 100}
        answer = self._api.get("tickets/search", asked, cost=LIST_PAGE)
        return {str(row["id"]) for row in rows_of(answer.body)}

    def _is_gone(self, ticket_id: str) -> bool:
        """Search may not show archived tickets: only the ticket's own address is believed."""
        try:
            return _in_the_bin(self._api.get(f"tickets/{ticket_id}").body)
        except ZohoNotFound:
            return True
        except ZohoForbidden:
            return False

    def departments(self) -> list[str]:
        """The ids of all departments."""
        return sorted(str(row["id"]) for row in whole(self._api, "departments", {}, limit=200))

    def read(self, record_id: str) -> Json | None:
        """The ticket with its conversation and full threads; read again if it changed meanwhile.

        The ticket comes last: when it was modified after the reading began, something may be
        missing. A ticket that never rests is kept as it is: the next run reads it again.
        """
        try:
            for _ in range(READS_OF_A_BUSY_TICKET):
                found, began = self._conversation(record_id)
                asked = {"include": "contacts,assignee"}
                record = record_of(self._api.get(f"tickets/{record_id}", asked).body)
                if _modified(record) < began:
                    break
        except ZohoNotFound:
            return None
        return None if _in_the_bin(record) else {"record": record, **found}

    def _conversation(self, record_id: str) -> tuple[Json, float]:
        path = f"tickets/{record_id}/conversations"
        first = self._api.get(path, {"from": 0, "limit": 200}, cost=LIST_PAGE)
        items = rows_of(first.body)
        if len(items) == 200:
            items = whole(self._api, path, {}, limit=200)
        threads = [
            thread
            for item in items
            if item.get("type") == "thread" and item.get("status") != "DRAFT"
            for thread in self._thread(record_id, str(item["id"]))
        ]
        return {"conversations": items, "threads": threads}, first.sent_at

    def _thread(self, ticket_id: str, thread_id: str) -> list[Json]:
        path = f"tickets/{ticket_id}/threads/{thread_id}"
        try:
            thread = record_of(self._api.get(path, {"include": "plainText"}).body)
        except ZohoNotFound:
            thread = None
        if thread is None:
            with self._lock:
                self.skipped_threads += 1
            return []
        if thread.get("isContentTruncated"):
            thread = thread | {"content": self._full(path, thread)}
        return [thread]

    def _full(self, path: str, thread: Json) -> str:
        """The whole content, from the address that Desk names if it is on Desk's own host."""
        own = f"{self._api.base}/{path}/fullContent"
        named = str(thread.get("fullContentURL") or own)
        body = self._api.get_content(named if same_host(named, self._api.base) else own).body
        if isinstance(body, dict):
            body = body.get("content") or body.get("fullContent")
        return str(body or thread.get("content") or "")


def _archived_mark(row: Json) -> str:
    """An archived ticket hardly changes: where the list does not say when, its counts do."""
    names = ("closedTime", "threadCount", "commentCount", "statusType")
    return str(row.get("modifiedTime") or "|".join(str(row.get(name)) for name in names))


def _is_within(row: Json, span: Span) -> bool:
    """Whether a row of a list that cannot be asked by time is to be read again."""
    modified = moment_of(row.get("modifiedTime"))
    if not (span.again and span.since and modified):
        return True
    return modified.timestamp() >= datetime.fromisoformat(span.since).timestamp()


def _in_the_bin(record: Json | None) -> bool:
    return record is None or bool(record.get("isDeleted") or record.get("isTrashed"))


def _modified(record: Json | None) -> float:
    """When a ticket was last modified, as a time stamp; 0.0 where Desk does not say."""
    found = moment_of((record or {}).get("modifiedTime"))
    return found.timestamp() if found else 0.0
