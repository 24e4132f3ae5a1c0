"""Desk's lists read without a gap: pages that overlap by one row, and windows of time.

A page of an offset list shifts when a row before it leaves; then the first row of the next page is
not the last of this one, and the list is read again. A search gives 1,000 rows at most, so it is
asked in windows of time small enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.domain.errors import ZohoError
from backend.zoho.calls import Api
from backend.zoho.credits import list_page

Json = dict[str, Any]
Params = Mapping[str, str | int]
SEARCH_LIMIT = 1_000
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


def rows_of(body: Any) -> list[Json]:
    """The rows of a Desk list; none for the empty answer of a 204."""
    return list(body["data"]) if body else []


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
