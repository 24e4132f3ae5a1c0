"""What stands in an answer of Zoho's: its body, its clock, and what its headers say."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from backend.domain.errors import ZohoError


@dataclass(frozen=True)
class Answer:
    """A body as JSON (None: nothing there) and Zoho's clock when it was sent."""

    body: Any
    sent_at: float


def rows_of(body: Any, name: str = "data", *, key: str = "id") -> list[dict[str, Any]]:
    """The rows of a list, each with its key; none for an answer without a body.

    Raises ZohoError for what is no such list, and for a row that has no key: it could be neither
    read nor told from the others.
    """
    if body is None:
        return []
    rows = body.get(name) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _strange(f"a list without {name!r}")
    if not all(row.get(key) for row in rows):
        raise _strange(f"a row of {name!r} without {key!r}")
    return rows


def record_of(body: Any) -> dict[str, Any] | None:
    """A record by itself; None for an answer without a body. Raises ZohoError otherwise."""
    if body is not None and not (isinstance(body, dict) and "id" in body):
        raise _strange("a record without an id")
    return body


def page_of(body: Any) -> dict[str, Any]:
    """What CRM says of a page: whether there is more, and how to ask for it."""
    found = body.get("info") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _strange(what: str) -> ZohoError:
    return ZohoError(
        f"Zoho answers with {what}, in a shape that this version does not know. Everything read "
        "so far is kept. Please report it; docs/zoho.md says what was never tried on a live portal."
    )


def moment_of(text: Any) -> datetime | None:
    """A time that a record tells, by UTC where it tells no zone; None for what is no time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def json_of(response: requests.Response) -> Any:
    """The body as JSON; None if it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def json_or_text(response: requests.Response) -> Any:
    """The body as JSON, or the text of a success."""
    found = json_of(response)
    return response.text if found is None and response.ok else found


def sent_at(response: requests.Response) -> float:
    """Zoho's clock as a time stamp; this machine's where the header is missing."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()


def seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; None when it is not a number of them."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


def whole_number(header: str | None) -> int | None:
    """A header that is a whole number; None for any other."""
    return int(header) if header is not None and header.isdecimal() else None
