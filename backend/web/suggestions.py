"""Suggestions: ask, wait, follow, cancel; rate candidates and say what became of them.

Following a suggestion: waiting for a change, or a stream of server-sent events.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.domain.rating import overall
from backend.domain.suggestion import FINISHED
from backend.privacy import placeholders_in
from backend.services.blind import is_held, without_loss
from backend.services.suggest import cancel_suggestion, suggest
from backend.settings import Settings
from backend.store.outcomes import add_outcome, open_uses
from backend.store.ratings import add_rating, revealed
from backend.store.suggestions import Candidate, Suggestion, revision, suggestion, suggestion_of
from backend.system.database import connect
from backend.web import auth, context, payloads
from backend.web.payloads import candidate_json, growth, seen_by, state_of, suggestion_json

USED_WITHIN = timedelta(days=30)

bp = Blueprint("suggestions", __name__, url_prefix="/api/v1")


@bp.post("/suggestions")
def post_suggestion() -> ResponseReturnValue:
    """Ask for a suggestion; it is answered by the worker."""
    asked = payloads.ask()
    if asked.models:  # a suggestion by one named model would tell who wrote it
        auth.require_admin()
    found = suggest(asked, settings=context.settings().suggest, db=context.store())
    return _shown(found), 202, {"Location": f"/api/v1/suggestions/{found.id}"}


@bp.get("/suggestions")
def get_used() -> ResponseReturnValue:
    """The replies that the caller used in `ticket` and that are not known as sent: ids only."""
    since = (datetime.now(UTC) - USED_WITHIN).isoformat(timespec="milliseconds")
    ticket = request.args.get("ticket", "")
    return {"used": open_uses(ticket, context.rater(), since=since, db=context.store())}


@bp.get("/suggestions/<suggestion_id>")
def get_suggestion(suggestion_id: str) -> ResponseReturnValue:
    """The suggestion now, or with `wait` as soon as it is newer than `since`."""
    seconds = _number("wait", 0.0)
    found = suggestion(suggestion_id, db=context.store())
    if seconds > 0:
        since = int(_number("since", found.revision))
        with context.long_call() as admitted:
            if admitted:
                wait_for_change(
                    found,
                    since=since,
                    seconds=seconds,
                    rater=context.rater(),
                    settings=context.settings(),
                    db=context.store(),
                )
        found = suggestion(suggestion_id, db=context.store())
    return _shown(found)


@bp.get("/suggestions/<suggestion_id>/events")
def get_events(suggestion_id: str) -> ResponseReturnValue:
    """The suggestion as server-sent events."""
    suggestion(suggestion_id, db=context.store())  # an unknown one is a 404, not a broken stream
    stream = events(
        suggestion_id,
        since=last_seen(request.headers.get("Last-Event-ID")),
        rater=context.rater(),
        settings=context.settings(),
    )
    give_back = context.admit_long_call()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = Response(stream, mimetype="text/event-stream", headers=headers)
    response.call_on_close(give_back)
    return response


@bp.delete("/suggestions/<suggestion_id>")
def delete_suggestion(suggestion_id: str) -> ResponseReturnValue:
    """Stop what still runs; what was written stays."""
    stopped = cancel_suggestion(suggestion_id, db=context.store())
    return _shown(stopped, moment=datetime.max.replace(tzinfo=UTC))  # nothing more is to come


@bp.post("/candidates/<candidate_id>/ratings")
def post_rating(candidate_id: str) -> ResponseReturnValue:
    """Rate a candidate. A later rating by the same rater supersedes this one."""
    rating = payloads.rating(rater=context.rater(), rubric=context.settings().rubric)
    rating_id = add_rating(candidate_id, rating, db=context.store())
    found = suggestion(suggestion_of(candidate_id, db=context.store()), db=context.store())
    return {
        "id": rating_id,
        "overall": overall(rating),
        "scores": dict(rating.scores),
        "revealed": revealed(found.id, rating.rater, db=context.store()),
        "suggestion": _shown(found, rater=rating.rater),
    }, 201


@bp.post("/candidates/<candidate_id>/outcomes")
def post_outcome(candidate_id: str) -> ResponseReturnValue:
    """Say what happened with a candidate."""
    payload = payloads.read(payloads.OutcomePayload)
    outcome_id = add_outcome(
        candidate_id,
        payload.kind,
        final_text=payload.final_text,
        agent=payload.agent or context.rater(),
        db=context.store(),
    )
    return {"id": outcome_id}, 201


def _shown(
    found: Suggestion, *, rater: str | None = None, moment: datetime | None = None
) -> dict[str, Any]:
    rater = context.rater() if rater is None else rater
    settings, db = context.settings(), context.store()
    seen = seen_by(rater, found, settings=settings, db=db, moment=moment)
    return suggestion_json(seen, rater=rater, settings=settings, db=db)


def _number(name: str, default: float) -> float:
    given = request.args.get(name)
    if given is None:
        return default
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1e12:
        raise BadInput(f"{name} is {given!r}; give a number, 0 or more.")
    return number


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
