"""Suggestions: ask, wait, follow, cancel; rate candidates and say what became of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from backend.domain.errors import BadInput
from backend.domain.rating import overall
from backend.domain.suggestion import Suggestion
from backend.services.follow import Change, End, Silence, View, follow, view, wait_for_change
from backend.services.rate import rate, report_outcome, unsent_uses
from backend.services.suggest import cancel_suggestion, current_suggestion, suggest
from backend.settings import Settings
from backend.web import auth, context, payloads

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
    ticket = request.args.get("ticket", "")
    return {"used": unsent_uses(ticket, context.rater(), db=context.store())}


@bp.get("/suggestions/<suggestion_id>")
def get_suggestion(suggestion_id: str) -> ResponseReturnValue:
    """The suggestion now, or with `wait` as soon as it is newer than `since`."""
    seconds = _number("wait", 0.0)
    found = current_suggestion(suggestion_id, db=context.store())
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
        found = current_suggestion(suggestion_id, db=context.store())
    return _shown(found)


@bp.get("/suggestions/<suggestion_id>/events")
def get_events(suggestion_id: str) -> ResponseReturnValue:
    """The suggestion as server-sent events."""
    current_suggestion(suggestion_id, db=context.store())  # if unknown, a 404 before the stream
    stream = _events(
        suggestion_id,
        since=_last_seen(request.headers.get("Last-Event-ID")),
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
    rated = rate(candidate_id, rating, db=context.store())
    return {
        "id": rated.id,
        "overall": overall(rating),
        "scores": dict(rating.scores),
        "revealed": rated.is_revealed,
        "suggestion": _shown(rated.suggestion, rater=rating.rater),
    }, 201


@bp.post("/candidates/<candidate_id>/outcomes")
def post_outcome(candidate_id: str) -> ResponseReturnValue:
    """Say what happened with a candidate."""
    outcome = payloads.outcome(agent=context.rater())
    return {"id": report_outcome(candidate_id, outcome, db=context.store())}, 201


def _shown(
    found: Suggestion, *, rater: str | None = None, moment: datetime | None = None
) -> dict[str, Any]:
    settings, db = context.settings(), context.store()
    rater = context.rater() if rater is None else rater
    seen = view(found, rater=rater, settings=settings, db=db, moment=moment)
    return payloads.suggestion_json(seen, rubric=settings.rubric)


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


def _last_seen(header: str | None) -> int | None:
    """The revision in a `Last-Event-ID` header, or None for none or nonsense."""
    is_number = header and header.isascii() and header.isdigit() and len(header) <= 15
    return int(header) if header and is_number else None


def _events(
    suggestion_id: str, *, since: int | None, rater: str, settings: Settings
) -> Iterator[str]:
    """The suggestion as server-sent events until it is finished."""
    for step in follow(suggestion_id, since=since, rater=rater, settings=settings):
        yield _event(step, rubric=settings.rubric)


def _event(step: View | Change | Silence | End, *, rubric: str) -> str:
    match step:
        case View():
            body = payloads.suggestion_json(step, rubric=rubric)
            return _named("suggestion", body, step.suggestion.revision)
        case Change():
            return _named("candidate", payloads.change_json(step), step.revision)
        case End():
            return _named("end", {"state": step.state}, step.revision)
        case Silence():
            return ": still here\n\n"


def _named(kind: str, body: dict[str, Any], number: int) -> str:
    text = json.dumps(body, ensure_ascii=False)
    return f"id: {number}\nevent: {kind}\ndata: {text}\n\n"
