"""Asking for suggestions: one click becomes a suggestion with a candidate for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from backend.domain.errors import BadInput, NoModel, QueueFull, UnusableModel
from backend.domain.suggestion import MAX_STEERING_CHARACTERS, Prefer, Suggestion
from backend.domain.ticket import Ticket
from backend.settings import SuggestSettings
from backend.store import queue
from backend.store.models import active_models, model_named
from backend.store.suggestions import (
    add_suggestion,
    cancel,
    find_same,
    hurry,
    same_request,
    suggestion,
)
from backend.system.database import transaction


@dataclass(frozen=True)
class Ask:
    """One click: the ticket, a wish for this reply, who answers, and how urgent it is."""

    ticket: Ticket
    steering: str = ""
    prefer: Prefer = "now"
    fresh: bool = False
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.steering) > MAX_STEERING_CHARACTERS:
            raise BadInput(
                f"The wish has {len(self.steering)} characters; {MAX_STEERING_CHARACTERS} fit. "
                "Say it in one sentence."
            )


@dataclass(frozen=True)
class Place:
    """Where a suggestion stands: candidates before it, and measured seconds until it is done."""

    ahead: int
    seconds: float | None


def suggest(ask: Ask, *, settings: SuggestSettings, db: Database) -> Suggestion:
    """The suggestion for a click: a new one, or the one an equal click made before.

    Raises NoModel, UnknownModel, UnusableModel, or QueueFull with the seconds to wait.
    """
    with transaction(db):
        names = models_for(ask.models, settings=settings, db=db)
        same = None
        if not ask.fresh:
            same = find_same(same_request(ask.ticket, ask.steering, names), db=db)
        if same is None:
            _refuse_full(len(names), ask.prefer, settings=settings, db=db)
            same = add_suggestion(
                ask.ticket, names, steering=ask.steering, prefer=ask.prefer, db=db
            )
        elif ask.prefer == "now":
            hurry(same, db=db)
    return suggestion(same, db=db)


def models_for(asked: Sequence[str], *, settings: SuggestSettings, db: Database) -> list[str]:
    """Who answers: those asked for, else those of the settings, else the newest active ones."""
    names = list(dict.fromkeys(asked or settings.models))
    if not names:
        names = active_models(db)[-settings.count :]
    if not names:
        raise NoModel(
            "No model is active, so nobody can answer. An admin adds one with "
            "`suggest-answer models add` and `suggest-answer models activate NAME`."
        )
    for name in names:
        model = model_named(name, db=db)
        if not model.active and name not in settings.models:
            raise UnusableModel(
                f"{name} is registered but not active. "
                f"Activate it with `suggest-answer models activate {name}`."
            )
    return names


def _refuse_full(wanted: int, prefer: Prefer, *, settings: SuggestSettings, db: Database) -> None:
    """Raises QueueFull; what is only prepared may fill half of the queue, people have the rest."""
    waiting = queue.waiting(db)
    limit = settings.queue_limit if prefer == "now" else settings.queue_limit // 2
    if waiting + wanted > limit:
        raise QueueFull(
            f"{waiting} replies are waiting or being written and {limit} are the "
            "limit. Try again in a moment, or ask for fewer models.",
            retry_after_seconds=10,
        )


def current_suggestion(suggestion_id: str, *, db: Database) -> Suggestion:
    """The suggestion as it is now, with who wrote what. Raises UnknownSuggestion."""
    return suggestion(suggestion_id, db=db)


def cancel_suggestion(suggestion_id: str, *, db: Database) -> Suggestion:
    """Stops what still runs and returns the suggestion. Raises UnknownSuggestion."""
    suggestion(suggestion_id, db=db)
    cancel(suggestion_id, db=db)
    return suggestion(suggestion_id, db=db)


def place(found: Suggestion, *, slots: int, db: Database) -> Place:
    """The place in the queue, and an estimate from what the models' last replies took.

    The estimate is None until every model that is waited for has been measured.
    """
    pending = [candidate for candidate in found.candidates if candidate.state == "queued"]
    if not pending:
        return Place(ahead=0, seconds=None)
    ahead = queue.ahead_of(found.id, db=db)
    measured = [queue.seconds_for(candidate.model, db=db) for candidate in pending]
    known = [seconds for seconds in measured if seconds is not None]
    if len(known) < len(measured):
        return Place(ahead=ahead, seconds=None)
    rounds = 1 + ahead / max(1, slots * len(pending))
    return Place(ahead=ahead, seconds=max(known) * rounds)
