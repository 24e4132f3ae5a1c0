"""Following a suggestion: waiting for a change, or a stream of server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from sqlite_utils import Database

from backend.domain.suggestion import FINISHED
from backend.privacy import placeholders_in
from backend.settings import Settings
from backend.store.database import connect
from backend.store.suggestions import Candidate, Suggestion, revision, suggestion
from backend.web.views import candidate_json, growth, state_of, suggestion_json

POLL_SECONDS = 0.015
KEEP_ALIVE_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 25.0


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


def wait_for_change(found: Suggestion, *, since: int, seconds: float, db: Database) -> None:
    """Returns once the suggestion's revision is over `since`, or it is finished, or time is up."""
    deadline = time.monotonic() + min(seconds, LONGEST_WAIT_SECONDS)
    changes = Changes(db)
    while True:
        found = suggestion(found.id, db=db)
        if found.revision > since or state_of(found) in FINISHED:
            return
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
        if since is None or since != found.revision:
            whole = suggestion_json(found, rater=rater, settings=settings, db=db)
            yield _event("suggestion", whole, found.revision)
        told = {one.id: one for one in found.candidates}
        while state_of(found) not in FINISHED:
            if not changes.wait(until=time.monotonic() + KEEP_ALIVE_SECONDS):
                yield ": still here\n\n"
                continue
            if revision(suggestion_id, db=db) == found.revision:
                continue
            found = suggestion(suggestion_id, db=db)
            changed = [one for one in found.candidates if one.revision > told[one.id].revision]
            for one in sorted(changed, key=lambda one: one.revision):
                yield _event("candidate", _step(told[one.id], one), one.revision)
                told[one.id] = one
        yield _event("end", {"state": state_of(found)}, found.revision)


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
