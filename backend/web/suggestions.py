"""Suggestions: ask, wait, follow, cancel; rate candidates and say what became of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from backend.domain.errors import BadInput
from backend.domain.rating import overall
from backend.services.suggesting import cancel_suggestion, suggest
from backend.store.outcomes import add_outcome, open_uses
from backend.store.ratings import add_rating, revealed
from backend.store.suggestions import Suggestion, suggestion, suggestion_of
from backend.web import auth, context, following, payloads
from backend.web.views import seen_by, suggestion_json

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
                following.wait_for_change(
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
    stream = following.events(
        suggestion_id,
        since=following.last_seen(request.headers.get("Last-Event-ID")),
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
    if not -1 <= number <= 1e12:
        raise BadInput(f"{name} is {given!r}; give a number, 0 or more.")
    return number
