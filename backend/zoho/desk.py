"""Desk's tickets as a source of records: each with its whole conversation, archived ones too.

Desk's articles as a source of records: each with its translations.

Desk's lists read without a gap: pages that overlap by one row, and windows of time.

A page of an offset list shifts when a row before it leaves; then the first row of the next page is
not the last of this one, and the list is read again. A search is read up to 900 rows, so it is
asked in windows of time small enough.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from backend.domain.errors import ZohoError, ZohoForbidden, ZohoNotFound
from backend.zoho.client import Api
from backend.zoho.credits import LIST_PAGE, list_page
from backend.zoho.data_centres import same_host
from backend.zoho.responses import moment_of, record_of, rows_of
from backend.zoho.sync_state import Kept, Page, Span

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


_LOCALES = "availableLocaleTranslations"


class Articles:
    """Published articles. Whatever is not published any more counts as deleted."""

    stream = "desk/articles"

    def __init__(self, api: Api) -> None:
        self._api = api

    def pages(self, span: Span, known: Mapping[str, Kept], after: Any) -> Iterator[Page]:
        """One page with all: the list is short, and only a whole one shows what has gone."""
        if after is not None:
            return
        asked = {"status": "Published", "sortBy": "modifiedTime"}
        rows = whole(self._api, "articles", asked, limit=50, first=1)
        items = tuple((str(row["id"]), _article_mark(row)) for row in rows)
        listed = {name for name, _ in items}
        lost = tuple((name, "") for name in sorted(known) if name not in listed)
        yield Page(True, items + lost)  # reading a lost one tells whether it has really gone

    def read(self, record_id: str) -> Json | None:
        """The article and its published translations."""
        try:
            record = record_of(self._api.get(f"articles/{record_id}").body)
        except ZohoNotFound:
            return None
        if record is None or record.get("status") != "Published":
            return None
        found = []
        listed = rows_of(record, _LOCALES, key="locale") if record.get(_LOCALES) else []
        for one in listed:
            if one["locale"] != record.get("locale") and one.get("status") in (None, "Published"):
                found += self._translation(record_id, str(one["locale"]))
        return {"record": record, "translations": found}

    def _translation(self, record_id: str, locale: str) -> list[Json]:
        try:
            found = self._api.get(f"articles/{record_id}/translations/{quote(locale, safe='')}")
        except ZohoNotFound:
            return []
        return [found.body] if found.body else []


def _article_mark(row: Json) -> str:
    versions = [
        f"{one.get('locale')}={one.get('translationId')}={one.get('status')}"
        for one in row.get(_LOCALES) or []
    ]
    return "|".join(map(str, (row.get("modifiedTime"), row.get("latestVersion"), *versions)))


Json = dict[str, Any]
Params = Mapping[str, str | int]
SEARCH_LIMIT = 900  # Zoho gives 1,000; a page that begins below must not end beyond
READS_OF_ONE_LIST = 6
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
Place = tuple[int, str]
BEGINNING: Place = (0, "")
_SMALLEST = timedelta(milliseconds=1)
_COMFORTABLE = 0.8


class Shifted(Exception):
    """The list changed while it was read."""


class TooMany(Exception):
    """A search has more rows than Zoho gives; `count` of them, if it says so."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def pages(
    api: Api, path: str, params: Params, *, limit: int, first: int = 0, place: Place = BEGINNING
) -> Iterator[tuple[Place, list[Json]]]:
    """Pages of an offset list as (place to go on from, new rows). Raises Shifted.

    `first` is the list's lowest offset. A place is an offset and the id of the row at it.
    """
    start, last = place
    while True:
        asked = {**params, "from": first + start, "limit": limit}
        rows = rows_of(api.get(path, asked, cost=list_page(start)).body)
        if last:
            if not rows or rows[0]["id"] != last:
                raise Shifted
            fresh = rows[1:]
        else:
            fresh = rows
        if fresh:
            last = str(fresh[-1]["id"])
        start += max(len(rows) - 1, 0)
        yield (start, last), fresh
        if len(rows) < limit:
            return


def whole(api: Api, path: str, params: Params, *, limit: int, first: int = 0) -> list[Json]:
    """All rows of an offset list, read again if it shifted. Raises ZohoError if it never rests."""
    for _ in range(READS_OF_ONE_LIST):
        try:
            return [
                row
                for _, rows in pages(api, path, params, limit=limit, first=first)
                for row in rows
            ]
        except Shifted:
            continue
    raise ZohoError(
        f"The list {path} changes faster than it can be read. Run the export again at a quieter "
        "time; everything read so far is kept."
    )


def stamp(moment: datetime) -> str:
    """A time as Desk's ranges want it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def windows(
    api: Api, params: Params, axis: str, start: datetime, end: datetime
) -> Iterator[tuple[datetime, list[Json]]]:
    """All tickets of a search with `axis` from start to end, as (end of a window, its rows)."""
    width = end - start
    while True:
        stop = min(start + width, end)
        asked = {**params, f"{axis}Range": f"{stamp(start)},{stamp(stop)}", "sortBy": axis}
        try:
            rows = _window(api, asked)
        except TooMany as many:
            if width > _SMALLEST:
                width = max(_SMALLEST, width * min(0.5, _COMFORTABLE * SEARCH_LIMIT / many.count))
                continue
            rows = _same_moment(api, asked, axis)
        yield stop, rows
        if stop >= end:
            return
        start = stop
        width *= min(4.0, _COMFORTABLE * SEARCH_LIMIT / max(len(rows), 1))
        width = max(width, _SMALLEST)


def _same_moment(api: Api, params: Params, axis: str) -> list[Json]:
    """More than a search gives share one millisecond, as after an import: by the other time."""
    other = "modifiedTime" if axis == "createdTime" else "createdTime"
    if f"{other}Range" in params:
        raise ZohoError(
            "More than 1,000 tickets were made and changed in the same millisecond, which Zoho's "
            "search cannot list. Export by department with --department."
        )
    found = windows(api, params, other, EARLIEST, datetime.now(UTC) + timedelta(days=1))
    return [row for _, rows in found for row in rows]


def _window(api: Api, params: Params) -> list[Json]:
    """All rows of one search. Raises TooMany, or ZohoError if it never rests."""
    for _ in range(READS_OF_ONE_LIST):
        try:
            return _search(api, params)
        except Shifted:
            continue
    raise ZohoError(
        "A search over the past changes faster than it can be read. Run the export again at a "
        "quieter time; everything read so far is kept."
    )


def _search(api: Api, params: Params) -> list[Json]:
    found: list[Json] = []
    start, last, limit = 0, "", 100
    while True:
        asked = {**params, "from": start, "limit": limit}
        body = api.get("tickets/search", asked, cost=list_page(start)).body
        rows, count = rows_of(body), int((body or {}).get("count") or 0)
        if count > SEARCH_LIMIT:
            raise TooMany(count)
        if last and (not rows or rows[0]["id"] != last):
            raise Shifted
        found += rows[1:] if last else rows
        if len(rows) < limit:
            return found
        last, start = str(rows[-1]["id"]), start + limit - 1
        if start >= SEARCH_LIMIT:
            raise TooMany(max(count, 2 * SEARCH_LIMIT))
