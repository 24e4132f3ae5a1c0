"""JSON in, checked before anything is done, and JSON out: suggestions as callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from backend.domain.errors import BadInput, problem_title, problem_type
from backend.domain.rating import Rating
from backend.domain.rubric import rubric_named
from backend.domain.suggestion import Candidate, Outcome, OutcomeKind, Prefer
from backend.domain.ticket import Ticket
from backend.privacy import placeholders_in
from backend.services.follow import Change, View
from backend.services.suggest import Ask

Json = dict[str, Any]

BLIND_DETAILS = {
    "EngineUnreachable": "It could not be reached. Ask again; if it stays so, tell an admin.",
    "EngineTimeout": "It did not answer in time. Ask again; if it stays so, tell an admin.",
    "EngineBusy": "It has no room now. Ask again in a moment.",
    "EngineRefused": "It refused to write a reply. Ask again, or tell an admin.",
    "EngineUnauthorized": "It does not accept the key. An admin has to look at it.",
    "EngineError": "It failed. Ask again; if it stays so, tell an admin.",
}


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TicketPayload(_Payload):
    """A ticket as the help desk shows it."""

    text: str = Field("", description="what the customer wrote")
    subject: str = ""
    external_id: str = Field("", max_length=200, description="the help desk's own id")
    language: str = Field("", max_length=35)
    contact: str = Field("", max_length=200)


class SuggestionPayload(_Payload):
    """Ask for a suggestion."""

    ticket: TicketPayload
    steering: str = Field("", description="a wish for this reply, one sentence")
    prefer: Prefer = "now"
    fresh: StrictBool = Field(False, description="true: a new suggestion even for an equal request")
    models: list[str] = Field(default_factory=list, max_length=6)


class RatingPayload(_Payload):
    """Rate a candidate."""

    rater: str = ""
    scores: dict[str, StrictInt] = Field(default_factory=dict)
    critical: StrictBool = Field(False, description="harmful or against policy")
    comment: str = ""
    ideal_answer: str = ""
    rubric: str = ""
    rubric_version: int | None = None


class OutcomePayload(_Payload):
    """Say what happened with a candidate."""

    id: str = Field("", max_length=100, description="your own; the same again is counted once")
    kind: OutcomeKind
    final_text: str = ""
    agent: str = ""


class ModelPayload(_Payload):
    """Register a model."""

    kind: Literal["gguf", "chat", "nearest"]
    name: str = ""
    path: str = Field("", description="GGUF file on the server")
    sha256: str = ""
    base_url: str = Field("", description="OpenAI-compatible endpoint")
    remote_name: str = ""
    key_variable: str = Field("", description="environment variable with the endpoint's key")
    active: StrictBool = False


PayloadT = TypeVar("PayloadT", bound=BaseModel)


def read(kind: type[PayloadT]) -> PayloadT:
    """The request's JSON as a payload. Raises BadInput naming each field that is wrong."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object, with Content-Type: application/json.")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors()[:5]
        )
        raise BadInput(f"The request cannot be used: {found}.") from error


def ask() -> Ask:
    """What a click asks for."""
    payload = read(SuggestionPayload)
    return Ask(
        ticket=Ticket(**payload.ticket.model_dump()),
        steering=payload.steering.strip(),
        prefer=payload.prefer,
        fresh=payload.fresh,
        models=tuple(payload.models),
    )


def rating(*, rater: str, rubric: str) -> Rating:
    """A rating, by this rater and rubric unless the payload names others."""
    payload = read(RatingPayload)
    return Rating(
        rater=payload.rater.strip() or rater,
        rubric=rubric_named(payload.rubric or rubric, payload.rubric_version),
        scores=payload.scores,
        critical=payload.critical,
        comment=payload.comment,
        ideal_answer=payload.ideal_answer,
    )


def outcome(*, agent: str) -> Outcome:
    """What became of a candidate, by this agent unless the payload names another."""
    payload = read(OutcomePayload)
    return Outcome(
        payload.kind,
        final_text=payload.final_text,
        agent=payload.agent or agent,
        id=payload.id,
    )


def suggestion_json(view: View, *, rubric: str) -> Json:
    """A suggestion as its rater may see it, to be judged by this rubric."""
    return {
        "id": view.suggestion.id,
        "state": view.suggestion.state,
        "revision": view.suggestion.revision,
        "created": view.suggestion.created,
        "steering": view.suggestion.steering,
        "prefer": view.suggestion.prefer,
        "rubric": rubric,
        "queue": {"ahead": view.place.ahead, "seconds": view.place.seconds},
        "candidates": [
            candidate_json(candidate, rated=candidate.id in view.rated, reveal=view.is_revealed)
            for candidate in view.suggestion.candidates
        ],
    }


def change_json(change: Change) -> Json:
    """What a follower needs to make the candidate after a change of the one before."""
    before, after = change.before, change.after
    offset, append = _growth(before.text, after.text)
    whole = candidate_json(after, rated=False, reveal=False)
    step = {name: whole[name] for name in ("id", "label", "state", "revision")}
    step |= {"offset": offset, "append": append}
    step |= {name: whole[name] for name in ("problem", "sources", "finish")}
    if whole["placeholders"] != list(placeholders_in(before.text)):
        step["placeholders"] = whole["placeholders"]
    return step


def _growth(before: str, after: str) -> tuple[int, str]:
    """Where to cut what a caller has, and what to append, so that it becomes `after`."""
    if after.startswith(before):
        return _utf16_length(before), after[len(before) :]
    return 0, after


def _utf16_length(text: str) -> int:
    """Length as JavaScript counts it: offsets of events are for `String.slice`."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def candidate_json(candidate: Candidate, *, rated: bool, reveal: bool) -> Json:
    """A candidate; which model wrote it, and how fast, is null unless revealed."""
    return {
        "id": candidate.id,
        "label": candidate.label,
        "state": candidate.state,
        "text": candidate.text,
        "revision": candidate.revision,
        "finish": candidate.finish,
        "problem": _problem(candidate, reveal=reveal),
        "placeholders": list(placeholders_in(candidate.text)),
        "sources": [_source(passage) for passage in candidate.passages],
        "rated": rated,
        "model": candidate.model if reveal else None,
        "seconds": _seconds(candidate) if reveal else None,
    }


def _problem(candidate: Candidate, *, reveal: bool) -> Json | None:
    """Why a candidate failed, or why it waits for another try.

    What an endpoint said, and which model it was, is told only if revealed.
    """
    if not candidate.problem:
        return None
    detail = candidate.problem_detail or ""
    if not reveal and candidate.problem in BLIND_DETAILS:
        detail = BLIND_DETAILS[candidate.problem]
    elif not reveal:
        detail = detail.replace(candidate.model, "This model")
    return {
        "type": problem_type(candidate.problem),
        "title": problem_title(candidate.problem),
        "detail": detail,
    }


def _source(passage: Mapping[str, Any]) -> Json:
    return {name: passage[name] for name in ("title", "kind", "url", "key")}


def _seconds(candidate: Candidate) -> Json:
    start = datetime.fromisoformat(candidate.queued)
    return {
        name: (datetime.fromisoformat(moment) - start).total_seconds() if moment else None
        for name, moment in (("first_text", candidate.first_text), ("total", candidate.finished))
    }
