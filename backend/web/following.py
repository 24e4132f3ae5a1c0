"""Following a suggestion: waiting for a change, or a stream of server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from sqlite_utils import Database

from backend.domain.suggestion import FINISHED
from backend.privacy import placeholders_in
from backend.services.blind import is_held, without_loss
from backend.settings import Settings
from backend.store.database import connect
from backend.store.suggestions import Candidate, Suggestion, revision, suggestion
from backend.web.views import candidate_json, growth, seen_by, state_of, suggestion_json

POLL_SECONDS = 0.015
KEEP_ALIVE_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 25.0
PACE_SECONDS = 0.05  # between two steps of text that is written already and shown at a pace
HELD_WAIT_SECONDS = 0.25


class Changes:
    """Notices writes of other connections. Make it before reading: then none is missed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._version = self._read()

    def wait(self, *, until: float) -> bool:
        """True as soon as something was written since the last call, False at `until`."""
        while True:
            version = self._read()
            if version != self._version:
                self._version = version
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_SECONDS)

    def _read(self) -> int:
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)


def wait_for_change(
    found: Suggestion, *, since: int, seconds: float, rater: str, settings: Settings, db: Database
) -> None:
    """Returns once there is more to see than revision `since` had, or all, or time is up."""
    deadline = time.monotonic() + min(seconds, LONGEST_WAIT_SECONDS)
    changes = Changes(db)
    while True:
        found = suggestion(found.id, db=db)
        seen = seen_by(rater, found, settings=settings, db=db)
        is_paced = is_held(found, seen)
        if is_paced and any(one.text for one in seen.candidates):
            time.sleep(min(HELD_WAIT_SECONDS, max(0.0, deadline - time.monotonic())))
            return
        if found.revision > since or state_of(seen) in FINISHED:
            return
        soon = time.monotonic() + HELD_WAIT_SECONDS
        if is_paced and soon < deadline:
            changes.wait(until=soon)
            continue
        if not changes.wait(until=deadline):
            return


def events(
    suggestion_id: str, *, since: int | None, rater: str, settings: Settings
) -> Iterator[str]:
    """The suggestion as server-sent events until it is finished.

    First the whole suggestion (left out if the caller has revision `since` and nothing is newer),
    then each candidate's growth, then `end`. Opens a connection of its own: a stream outlives its
    request's.
    """
    db = connect(settings.database)
    with closing(db.conn):
        changes = Changes(db)
        found = suggestion(suggestion_id, db=db)
        told = seen_by(rater, found, settings=settings, db=db)
        if since is None or since != found.revision or is_held(found, told):
            whole = suggestion_json(told, rater=rater, settings=settings, db=db)
            yield _event("suggestion", whole, found.revision)
        while state_of(told) not in FINISHED:
            rest = PACE_SECONDS if is_held(found, told) else KEEP_ALIVE_SECONDS
            is_new = changes.wait(until=time.monotonic() + rest)
            if not is_new and not is_held(found, told):
                yield ": still here\n\n"
                continue
            if is_new and revision(suggestion_id, db=db) != found.revision:
                found = suggestion(suggestion_id, db=db)
            seen = without_loss(told, seen_by(rater, found, settings=settings, db=db))
            for before, after in zip(told.candidates, seen.candidates, strict=True):
                if _differs(before, after):
                    yield _event("candidate", _step(before, after), found.revision)
            told = seen
        yield _event("end", {"state": state_of(told)}, found.revision)


def _differs(before: Candidate, after: Candidate) -> bool:
    """Whether there is anything to tell; a revision alone is none."""
    return replace(before, revision=0) != replace(after, revision=0)


def _step(before: Candidate, after: Candidate) -> dict[str, Any]:
    offset, append = growth(before.text, after.text)
    whole = candidate_json(after, rated=False, reveal=False)
    step = {name: whole[name] for name in ("id", "label", "state", "revision")}
    step |= {"offset": offset, "append": append}
    step |= {name: whole[name] for name in ("problem", "sources", "finish")}
    if whole["placeholders"] != list(placeholders_in(before.text)):
        step["placeholders"] = whole["placeholders"]
    return step


def _event(kind: str, body: dict[str, Any], number: int) -> str:
    text = json.dumps(body, ensure_ascii=False)
    return f"id: {number}\nevent: {kind}\ndata: {text}\n\n"


def last_seen(header: str | None) -> int | None:
    """The revision in a `Last-Event-ID` header, or None for none or nonsense."""
    is_number = header and header.isascii() and header.isdigit() and len(header) <= 15
    return int(header) if header and is_number else None
