"""Tickets, suggestions and their candidates, as rows."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from backend.domain.errors import UnknownCandidate, UnknownSuggestion
from backend.domain.suggestion import LABELS, Candidate, Prefer, Suggestion, balanced_order
from backend.domain.ticket import Ticket
from backend.system.database import new_id, now, transaction

PRIORITIES: Mapping[Prefer, int] = {"now": 0, "background": 1}
_SUGGESTION_COLUMNS = "id, revision, created, steering, prefer"
_CANDIDATE_COLUMNS = (
    "id, suggestion_id, label, model, state, text, revision, finish, problem, problem_detail, "
    "queued, claimed, first_text, finished"
)


def same_request(ticket: Ticket, steering: str, models: Sequence[str]) -> str:
    """Hash of ticket, steering and models: equal requests share one suggestion."""
    parts = [ticket.fingerprint, " ".join(steering.split()), *sorted(models)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def find_same(fingerprint: str, *, db: Database) -> str | None:
    """The newest suggestion for an equal request that is still of use, or None.

    One that was cancelled, or of which every candidate failed, is of none.
    """
    row = db.execute(
        """
        SELECT id, (SELECT sum(state IN ('queued', 'writing', 'done')) FROM candidates
                    WHERE suggestion_id = suggestions.id) AS useful,
                   (SELECT sum(state = 'cancelled') FROM candidates
                    WHERE suggestion_id = suggestions.id) AS cancelled
        FROM suggestions WHERE fingerprint = ? ORDER BY created DESC, rowid DESC LIMIT 1""",
        [fingerprint],
    ).fetchone()
    return row[0] if row and row[1] and not row[2] else None


def add_suggestion(
    ticket: Ticket, models: Sequence[str], *, steering: str, prefer: Prefer, db: Database
) -> str:
    """A new suggestion with a queued candidate for each model; returns its id.

    Must run inside `transaction`, after the checks that it depends on.
    """
    suggestion_id, moment = new_id(), now()
    key = ",".join(sorted(models))
    turn, seed = _turn(key, db)
    db.table("suggestions").insert(
        {
            "id": suggestion_id,
            "ticket_id": _ticket_id(ticket, db),
            "fingerprint": same_request(ticket, steering, models),
            "steering": steering,
            "prefer": prefer,
            "models": key,
            "seed": seed,
            "turn": turn,
            "created": moment,
        }
    )
    for label, model in zip(LABELS, balanced_order(models, seed=seed, turn=turn), strict=False):
        db.table("candidates").insert(
            {
                "id": new_id(),
                "suggestion_id": suggestion_id,
                "label": label,
                "model": model,
                "priority": PRIORITIES[prefer],
                "queued": moment,
            }
        )
    return suggestion_id


def _turn(models: str, db: Database) -> tuple[int, int]:
    count, seed = db.execute(
        "SELECT count(*), min(seed) FROM suggestions WHERE models = ?", [models]
    ).fetchone()
    return count, seed if count else secrets.randbits(31)


def _ticket_id(ticket: Ticket, db: Database) -> str:
    row = db.execute(
        "SELECT id FROM tickets WHERE fingerprint = ?", [ticket.fingerprint]
    ).fetchone()
    if row:
        return str(row[0])
    ticket_id = new_id()
    db.table("tickets").insert(
        {
            "id": ticket_id,
            "fingerprint": ticket.fingerprint,
            "external_id": ticket.external_id,
            "subject": ticket.subject,
            "text": ticket.text,
            "language": ticket.language,
            "contact": ticket.contact,
            "created": now(),
        }
    )
    return ticket_id


def hurry(suggestion_id: str, *, db: Database) -> None:
    """Somebody waits for it now: what was prepared in the background moves to the front."""
    db.execute(
        "UPDATE candidates SET priority = 0 "
        "WHERE suggestion_id = ? AND priority > 0 AND state = 'queued'",
        [suggestion_id],
    )


def cancel(suggestion_id: str, *, db: Database) -> None:
    """Ends what still waits or is being written; the worker notices and stops the model."""
    with transaction(db):
        db.execute(
            "UPDATE candidates SET state = 'cancelled', claim = NULL, finished = ? "
            "WHERE suggestion_id = ? AND state IN ('queued', 'writing')",
            [now(), suggestion_id],
        )


def suggestion(suggestion_id: str, *, db: Database) -> Suggestion:
    """The suggestion as it is now. Raises UnknownSuggestion."""
    db.execute("BEGIN")  # one snapshot for the three reads
    try:
        rows = list(
            db.query(
                f"SELECT {_SUGGESTION_COLUMNS} FROM suggestions WHERE id = ?",  # noqa: S608
                [suggestion_id],
            )
        )
        candidates = list(
            db.query(
                f"SELECT {_CANDIDATE_COLUMNS} FROM candidates "  # noqa: S608
                "WHERE suggestion_id = ? ORDER BY label",
                [suggestion_id],
            )
        )
        passages = _passages(suggestion_id, db)
    finally:
        db.execute("COMMIT")
    if not rows:
        raise UnknownSuggestion(f"There is no suggestion {suggestion_id!r}. Ask for a new one.")
    return Suggestion(
        **rows[0],
        candidates=tuple(
            Candidate(**candidate, passages=tuple(passages.get(candidate["id"], ())))
            for candidate in candidates
        ),
    )


def _passages(suggestion_id: str, db: Database) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in db.query(
        "SELECT candidate_passages.* FROM candidate_passages "
        "JOIN candidates ON candidates.id = candidate_id "
        "WHERE suggestion_id = ? ORDER BY candidate_id, position",
        [suggestion_id],
    ):
        found.setdefault(row["candidate_id"], []).append(row)
    return found


def revision(suggestion_id: str, *, db: Database) -> int:
    """The suggestion's revision: it grows with every change. Raises UnknownSuggestion."""
    row = db.execute("SELECT revision FROM suggestions WHERE id = ?", [suggestion_id]).fetchone()
    if row is None:
        raise UnknownSuggestion(f"There is no suggestion {suggestion_id!r}. Ask for a new one.")
    return int(row[0])


def suggestion_of(candidate_id: str, *, db: Database) -> str:
    """The id of the suggestion that a candidate belongs to. Raises UnknownCandidate."""
    row = db.execute("SELECT suggestion_id FROM candidates WHERE id = ?", [candidate_id]).fetchone()
    if row is None:
        raise UnknownCandidate(f"There is no candidate {candidate_id!r}.")
    return str(row[0])
