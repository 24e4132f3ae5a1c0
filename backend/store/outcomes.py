"""What agents did with candidates: inserted, copied, edited, discarded or sent them."""

from __future__ import annotations

from sqlite_utils import Database

from backend.domain.errors import BadInput, TooLarge
from backend.domain.rating import MAX_RATER_CHARACTERS
from backend.domain.suggestion import OUTCOMES
from backend.domain.ticket import MAX_TICKET_BYTES
from backend.store.database import new_id, now, transaction
from backend.store.ratings import refuse_unfinished


def add_outcome(
    candidate_id: str, kind: str, *, final_text: str = "", agent: str = "", db: Database
) -> str:
    """Save what an agent did with a finished candidate; the outcome's id.

    `final_text` is what was sent or what the edit made of it. Raises BadInput for any other kind
    than those of `backend.domain.suggestion`, UnknownCandidate, CandidateUnfinished, TooLarge.
    """
    if kind not in OUTCOMES:
        raise BadInput(f"There is no outcome {kind!r}; there is {', '.join(OUTCOMES)}.")
    if len(final_text.encode()) > MAX_TICKET_BYTES:
        raise TooLarge(f"The final text is over {MAX_TICKET_BYTES:,} bytes. Send the reply alone.")
    if len(agent) > MAX_RATER_CHARACTERS:
        raise BadInput(f"An agent's name or id has {MAX_RATER_CHARACTERS} characters at most.")
    outcome_id = new_id()
    with transaction(db):
        refuse_unfinished(candidate_id, db=db)
        db.execute(
            """INSERT INTO outcomes (id, candidate_id, kind, final_text, agent, created)
               VALUES (?, ?, ?, ?, ?, ?)""",
            [outcome_id, candidate_id, kind, final_text, agent, now()],
        )
    return outcome_id
