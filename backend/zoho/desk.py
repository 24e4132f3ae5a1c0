"""Desk as a source of records: tickets with their conversations, articles with translations.

Pagination without a gap: a page of an offset list shifts when a row before it leaves, so pages
overlap by one row; where the first row of the next page is not the last of this one, the list is
read again. A search shows 900 rows at most, so it is asked in windows of time small enough.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from backend.domain.errors import ZohoError, ZohoForbidden, ZohoNotFound
from backend.zoho.client import Api, Params, moment_of, record_of, rows_of
from backend.zoho.sync_state import Page, SyncRun

OVERLAP = timedelta(minutes=15)
"""Search lags behind the tickets, so each run looks a little further back than the last one got."""
CLOCK_GRAIN = timedelta(seconds=2)
"""Zoho tells its time in whole seconds: what changed in this one is still looked for."""
SEARCH_LIMIT = 900
"""Zoho gives 1,000; a page that begins below must not end beyond."""
SEARCH_PAGE, ARCHIVE_PAGE, CONVERSATION_PAGE, DEPARTMENT_PAGE, ARTICLE_PAGE = 100, 100, 200, 200, 50
IDS_IN_A_SEARCH = 50
READS_OF_A_LIST = 6
READS_OF_A_BUSY_TICKET = 3
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
Json = dict[str, Any]
ListPosition = tuple[int, str]
BEGINNING: ListPosition = (0, "")
_TRANSLATIONS = "availableLocaleTranslations"
_SMALLEST_WINDOW = timedelta(milliseconds=1)
_FILL_OF_A_WINDOW = 0.8


class Tickets:
    """Tickets of one department or of all, archived ones too."""

    stream = "desk/tickets"

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self.skipped_threads = 0

    def pages(self, run: SyncRun, known: Sequence[str], after: Any) -> Iterator[Page]:
        """Changed tickets; on a recheck also archived ones, and known ones that have gone."""
        stage, place = after or ("search", None)
        if stage == "search":
            yield from self._changed(run, place)
        if not run.recheck:
            return
        if stage in ("search", "archive"):
            yield from self._archived(run, place if stage == "archive" else None)
        if run.department == "*":
            yield from self._gone(known, int(place or 0) if stage == "gone" else 0)

    def _changed(self, run: SyncRun, place: Any) -> Iterator[Page]:
        """By creation, which never moves; later also by change, in case Desk sets one alone."""
        start = datetime.fromisoformat(run.since) - OVERLAP if run.since else EARLIEST
        end = datetime.fromisoformat(run.until) + CLOCK_GRAIN
        done, reached = place or (0, "")
        asked = {} if run.department == "*" else {"departmentId": run.department}
        for number, axis in enumerate(("createdTime", "modifiedTime")[: 2 if run.since else 1]):
            here = datetime.fromisoformat(reached) if number == done and reached else start
            if number < done or here >= end:
                continue
            for stop, rows in search_windows(self._api, asked, axis, here, end):
                items = tuple((str(row["id"]), str(row.get("modifiedTime") or "")) for row in rows)
                self._seen.update(record_id for record_id, _ in items)
                yield Page(("search", (number, stop.isoformat())), items)

    def _archived(self, run: SyncRun, place: Any) -> Iterator[Page]:
        names = [run.department] if run.department != "*" else self.departments()
        done, here = place or (0, BEGINNING)
        for number, name in enumerate(names):
            if number >= done:
                yield from self._archived_of(run, name, number, tuple(here))
                here = BEGINNING

    def _archived_of(
        self, run: SyncRun, name: str, number: int, here: ListPosition
    ) -> Iterator[Page]:
        asked, path = {"departmentId": name}, "tickets/archivedTickets"
        for _ in range(READS_OF_A_LIST):
            try:
                for place, rows in list_pages(
                    self._api, path, asked, limit=ARCHIVE_PAGE, position=here
                ):
                    self._seen.update(str(row["id"]) for row in rows)
                    wanted = (row for row in rows if _is_within(row, run))
                    items = tuple((str(row["id"]), _archived_version(row)) for row in wanted)
                    yield Page(("archive", (number, place)), items)
            except ListChanged:
                here = BEGINNING
            else:
                return
        raise ZohoError(
            "The list of archived tickets changes faster than it can be read. Run the export "
            "again at a quieter time; everything read so far is kept."
        )

    def _gone(self, known: Sequence[str], place: int) -> Iterator[Page]:
        for start in range(place, len(known), IDS_IN_A_SEARCH):
            batch = [
                record_id
                for record_id in known[start : start + IDS_IN_A_SEARCH]
                if record_id not in self._seen
            ]
            found = self._findable(batch) if batch else set()
            gone = tuple(
                record_id
                for record_id in batch
                if record_id not in found and self._is_gone(record_id)
            )
            yield Page(("gone", start + IDS_IN_A_SEARCH), (), gone)

    def _findable(self, batch: Sequence[str]) -> set[str]:
        asked: dict[str, str | int] = {"id": ",".join(batch), "limit": SEARCH_PAGE}
        answer = self._api.get("tickets/search", asked)
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
        return sorted(
            str(row["id"]) for row in all_rows(self._api, "departments", {}, limit=DEPARTMENT_PAGE)
        )

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
        first = self._api.get(path, {"from": 0, "limit": CONVERSATION_PAGE})
        items = rows_of(first.body)
        if len(items) == CONVERSATION_PAGE:
            items = all_rows(self._api, path, {}, limit=CONVERSATION_PAGE)
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
        body = self._api.get_content(named if self._api.serves(named) else own).body
        if isinstance(body, dict):
            body = body.get("content") or body.get("fullContent")
        return str(body or thread.get("content") or "")


def _archived_version(row: Json) -> str:
    """An archived ticket hardly changes: where the list does not say when, its counts do."""
    names = ("closedTime", "threadCount", "commentCount", "statusType")
    return str(row.get("modifiedTime") or "|".join(str(row.get(name)) for name in names))


def _is_within(row: Json, run: SyncRun) -> bool:
    """Whether a row of a list that cannot be asked by time is to be read again."""
    modified = moment_of(row.get("modifiedTime"))
    if not (run.reread and run.since and modified):
        return True
    return modified.timestamp() >= datetime.fromisoformat(run.since).timestamp()


def _in_the_bin(record: Json | None) -> bool:
    return record is None or bool(record.get("isDeleted") or record.get("isTrashed"))


def _modified(record: Json | None) -> float:
    """When a ticket was last modified, as a time stamp; 0.0 where Desk does not say."""
    found = moment_of((record or {}).get("modifiedTime"))
    return found.timestamp() if found else 0.0


class Articles:
    """Published articles. Whatever is not published any more counts as deleted."""

    stream = "desk/articles"

    def __init__(self, api: Api) -> None:
        self._api = api

    def pages(self, run: SyncRun, known: Sequence[str], after: Any) -> Iterator[Page]:
        """One page with all: the list is short, and only a whole one shows what has gone."""
        if after is not None:
            return
        asked = {"status": "Published", "sortBy": "modifiedTime"}
        rows = all_rows(self._api, "articles", asked, limit=ARTICLE_PAGE, first=1)
        items = tuple((str(row["id"]), _article_version(row)) for row in rows)
        listed = {record_id for record_id, _ in items}
        lost = tuple((record_id, "") for record_id in known if record_id not in listed)
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
        listed = rows_of(record, _TRANSLATIONS, key="locale") if record.get(_TRANSLATIONS) else []
        for translation in listed:
            locale, status = translation["locale"], translation.get("status")
            if locale != record.get("locale") and status in (None, "Published"):
                found += self._translation(record_id, str(locale))
        return {"record": record, "translations": found}

    def _translation(self, record_id: str, locale: str) -> list[Json]:
        try:
            found = self._api.get(f"articles/{record_id}/translations/{quote(locale, safe='')}")
        except ZohoNotFound:
            return []
        return [found.body] if found.body else []


def _article_version(row: Json) -> str:
    versions = [
        f"{translation.get('locale')}={translation.get('translationId')}="
        f"{translation.get('status')}"
        for translation in row.get(_TRANSLATIONS) or []
    ]
    return "|".join(map(str, (row.get("modifiedTime"), row.get("latestVersion"), *versions)))


class ListChanged(Exception):
    """The list changed while it was read."""


class TooManyRows(Exception):
    """A search has more rows than Zoho gives; `count` of them, if it says so."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def list_pages(
    api: Api,
    path: str,
    params: Params,
    *,
    limit: int,
    first: int = 0,
    position: ListPosition = BEGINNING,
) -> Iterator[tuple[ListPosition, list[Json]]]:
    """The pagination of an offset list, as (position to go on from, new rows). Raises ListChanged.

    `first` is the list's lowest offset. A position is an offset and the id of the row at it.
    """
    start, last = position
    while True:
        asked = {**params, "from": first + start, "limit": limit}
        rows = rows_of(api.get(path, asked).body)
        if last:
            if not rows or rows[0]["id"] != last:
                raise ListChanged
            fresh = rows[1:]
        else:
            fresh = rows
        if fresh:
            last = str(fresh[-1]["id"])
        start += max(len(rows) - 1, 0)
        yield (start, last), fresh
        if len(rows) < limit:
            return


def all_rows(api: Api, path: str, params: Params, *, limit: int, first: int = 0) -> list[Json]:
    """All rows of an offset list, read again if it shifted. Raises ZohoError if it never rests."""
    for _ in range(READS_OF_A_LIST):
        try:
            return [
                row
                for _, rows in list_pages(api, path, params, limit=limit, first=first)
                for row in rows
            ]
        except ListChanged:
            continue
    raise ZohoError(
        f"The list {path} changes faster than it can be read. Run the export again at a quieter "
        "time; everything read so far is kept."
    )


def desk_time(moment: datetime) -> str:
    """A time as Desk's ranges want it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def search_windows(
    api: Api, params: Params, axis: str, start: datetime, end: datetime
) -> Iterator[tuple[datetime, list[Json]]]:
    """All tickets of a search with `axis` from start to end, as (end of a window, its rows)."""
    width = end - start
    while True:
        stop = min(start + width, end)
        asked = {**params, f"{axis}Range": f"{desk_time(start)},{desk_time(stop)}", "sortBy": axis}
        try:
            rows = _window(api, asked)
        except TooManyRows as many:
            if width > _SMALLEST_WINDOW:
                width = max(
                    _SMALLEST_WINDOW,
                    width * min(0.5, _FILL_OF_A_WINDOW * SEARCH_LIMIT / many.count),
                )
                continue
            rows = _same_moment(api, asked, axis)
        yield stop, rows
        if stop >= end:
            return
        start = stop
        width *= min(4.0, _FILL_OF_A_WINDOW * SEARCH_LIMIT / max(len(rows), 1))
        width = max(width, _SMALLEST_WINDOW)


def _same_moment(api: Api, params: Params, axis: str) -> list[Json]:
    """More than a search gives share one millisecond, as after an import: by the other time."""
    other = "modifiedTime" if axis == "createdTime" else "createdTime"
    if f"{other}Range" in params:
        raise ZohoError(
            "More than 1,000 tickets were made and changed in the same millisecond, which Zoho's "
            "search cannot list. Export by department with --department."
        )
    found = search_windows(api, params, other, EARLIEST, datetime.now(UTC) + timedelta(days=1))
    return [row for _, rows in found for row in rows]


def _window(api: Api, params: Params) -> list[Json]:
    """All rows of one search. Raises TooManyRows, or ZohoError if it never rests."""
    for _ in range(READS_OF_A_LIST):
        try:
            return _search(api, params)
        except ListChanged:
            continue
    raise ZohoError(
        "A search over the past changes faster than it can be read. Run the export again at a "
        "quieter time; everything read so far is kept."
    )


def _search(api: Api, params: Params) -> list[Json]:
    found: list[Json] = []
    start, last, limit = 0, "", SEARCH_PAGE
    while True:
        asked = {**params, "from": start, "limit": limit}
        body = api.get("tickets/search", asked).body
        rows, count = rows_of(body), int((body or {}).get("count") or 0)
        if count > SEARCH_LIMIT:
            raise TooManyRows(count)
        if last and (not rows or rows[0]["id"] != last):
            raise ListChanged
        found += rows[1:] if last else rows
        if len(rows) < limit:
            return found
        last, start = str(rows[-1]["id"]), start + limit - 1
        if start >= SEARCH_LIMIT:
            raise TooManyRows(max(count, 2 * SEARCH_LIMIT))
