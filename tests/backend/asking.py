"""Clicks, claims and their ends straight in the database, for tests of queue and suggestions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlite_utils import Database

from backend.domain.suggestion import Candidate, Suggestion
from backend.domain.ticket import Ticket
from backend.services.suggest import Ask, suggest
from backend.settings import SuggestSettings
from backend.store import queue
from backend.store.queue import Usage, Work
from backend.store.suggestions import add_suggestion, suggestion
from backend.system.database import transaction
from tests.backend.candidates import suggestion_of

MODELS = ("one", "two", "three", "four")
LEASE = 30.0
SETTINGS = SuggestSettings()
TICKET = Ticket(text="Where is my invoice?")


def click(
    db: Database, *models: str, ticket: Ticket = TICKET, steering: str = "", fresh: bool = False
) -> Suggestion:
    """What a person gets who asks for replies of these models, else of the first three."""
    ask = Ask(ticket, steering=steering, models=models or MODELS[:3], fresh=fresh)
    return suggest(ask, settings=SETTINGS, db=db)


def ask(db: Database, *models: str, text: str = "q") -> str:
    """The id of a suggestion with queued candidates of these models, else of the first three."""
    with transaction(db):
        return add_suggestion(
            Ticket(text=text), models or MODELS[:3], steering="short", prefer="now", db=db
        )


def claim(db: Database, *, models: Sequence[str] = MODELS, lease_seconds: float = LEASE) -> Work:
    """The next candidate of any of these models, claimed."""
    work = queue.claim(models, lease_seconds=lease_seconds, db=db)
    assert work
    return work


def candidate(db: Database, work: Work) -> Candidate:
    """What is stored of the candidate that was claimed."""
    found = suggestion(suggestion_of(work.candidate_id, db=db), db=db)
    return next(stored for stored in found.candidates if stored.id == work.candidate_id)


def end_all(db: Database, states: str) -> None:
    """Claims a candidate for each of these states and ends it so: `done`, else as failed."""
    for state in states.split():
        work = claim(db)
        if state == "done":
            queue.finish(work, "Done.", "stop", Usage(), db=db)
        else:
            queue.fail(work, "EngineRefused", "No.", db=db)
