"""Finished candidates put straight into the database, for tests of what comes after writing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlite_utils import Database

from backend.domain.ticket import Ticket
from backend.store.models import Model, add_model
from backend.store.suggestions import add_suggestion, suggestion
from backend.system.database import new_id, now, transaction

QUESTION = Ticket(subject="Cannot log in", text="My password is refused.", external_id="desk-7")


def add_models(names: Sequence[str], *, db: Database) -> None:
    """Register active models that never run."""
    for name in names:
        url = "http://127.0.0.1:9/v1"
        add_model(Model(name=name, kind="chat", base_url=url, active=True), db=db)


def add_candidates(
    models: Sequence[str], *, db: Database, state: str = "done", ticket: Ticket = QUESTION
) -> dict[str, str]:
    """A suggestion for a ticket with a candidate of each model in this state; ids by model."""
    with transaction(db):
        suggestion_id = add_suggestion(ticket, models, steering="", prefer="now", db=db)
        db.execute(
            """UPDATE candidates SET state = ?, text = 'Reply ' || label, finished = ?
               WHERE suggestion_id = ?""",
            [state, now(), suggestion_id],
        )
    found = suggestion(suggestion_id, db=db)
    return {candidate.model: candidate.id for candidate in found.candidates}


def add_many(model: str, number: int, *, db: Database) -> list[str]:
    """The ids of this many finished candidates of one model, each for a ticket of its own."""
    return [
        add_candidates([model], db=db, ticket=Ticket(text=f"Query {new_id()}"))[model]
        for _ in range(number)
    ]


def suggestion_of(candidate_id: str, *, db: Database) -> str:
    """The suggestion that a candidate belongs to."""
    row = db.execute("SELECT suggestion_id FROM candidates WHERE id = ?", [candidate_id])
    return str(row.fetchone()[0])
