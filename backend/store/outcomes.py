"""What agents did with candidates: inserted, copied, edited, discarded or sent them."""

from __future__ import annotations

from sqlite_utils import Database

from backend.domain.errors import BadInput, TooLarge
from backend.domain.rating import MAX_RATER_CHARACTERS
from backend.domain.suggestion import OUTCOMES
from backend.domain.ticket import MAX_TICKET_BYTES
from backend.store.ratings import refuse_unfinished
from backend.system.database import new_id, now, transaction


def add_outcome(
    candidate_id: str,
    kind: str,
    *,
    final_text: str = "",
    agent: str = "",
    outcome_id: str = "",
    db: Database,
) -> str:
    """Save what an agent did with a finished candidate; the outcome's id.

    `final_text` is what was sent or what the edit made of it. An `outcome_id` that is known is
    counted once: whoever reports cannot know whether an unanswered try arrived.

    Raises BadInput for any other kind than those of `backend.domain.suggestion`, UnknownCandidate,
    CandidateUnfinished, TooLarge.
    """
    if kind not in OUTCOMES:
        raise BadInput(f"There is no outcome {kind!r}; there is {', '.join(OUTCOMES)}.")
    if len(final_text.encode()) > MAX_TICKET_BYTES:
        raise TooLarge(f"The final text is over {MAX_TICKET_BYTES:,} bytes. Send the reply alone.")
    if len(agent) > MAX_RATER_CHARACTERS:
        raise BadInput(f"An agent's name or id has {MAX_RATER_CHARACTERS} characters at most.")
    outcome_id = outcome_id or new_id()
    with transaction(db):
        refuse_unfinished(candidate_id, db=db)
        db.execute(
            """INSERT INTO outcomes (id, candidate_id, kind, final_text, agent, created)
               VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
            [outcome_id, candidate_id, kind, final_text, agent, now()],
        )
    return outcome_id


def open_uses(ticket: str, agent: str, *, since: str, db: Database) -> list[dict[str, str]]:
    """What an agent used in a ticket of the help desk's and is not known as sent after that.

    Each candidate once, with the `moment` of its last use, newest last.
    """
    return list(
        db.query(
            """SELECT candidates.suggestion_id, candidate_id, max(outcomes.created) AS moment
               FROM outcomes
               JOIN candidates ON candidates.id = candidate_id
               JOIN suggestions ON suggestions.id = candidates.suggestion_id
               JOIN tickets ON tickets.id = ticket_id
               WHERE external_id = ? AND agent = ? AND outcomes.created >= ?
                 AND outcomes.kind IN ('inserted', 'copied')
                 AND NOT EXISTS (
                     SELECT 1 FROM outcomes AS sent JOIN candidates AS other
                     ON other.id = sent.candidate_id AND sent.kind = 'sent'
                     WHERE other.suggestion_id = candidates.suggestion_id
                       AND sent.created >= outcomes.created)
               GROUP BY candidate_id ORDER BY moment""",
            [ticket, agent, since],
        )
    )
