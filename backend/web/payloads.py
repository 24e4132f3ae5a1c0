"""JSON in: what each call accepts, checked before anything is done."""

from __future__ import annotations

from typing import Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from backend.domain.errors import BadInput
from backend.domain.rating import Rating
from backend.domain.rubric import rubric_named
from backend.domain.suggestion import OutcomeKind, Prefer
from backend.domain.ticket import Ticket
from backend.services.suggesting import Ask


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
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]
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
