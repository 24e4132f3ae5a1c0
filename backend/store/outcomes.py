"""What agents did with candidates: inserted, copied, edited, discarded or sent them."""

from __future__ import annotations

from sqlite_utils import Database

from backend.domain.suggestion import Outcome
from backend.store.ratings import refuse_unfinished
from backend.system.database import new_id, now, transaction


def add_outcome(candidate_id: str, outcome: Outcome, *, db: Database) -> str:
    """Save what became of a finished candidate; the outcome's id.

    An outcome whose id is known already is counted once: whoever reports cannot know whether an
    unanswered try arrived. Raises UnknownCandidate, CandidateUnfinished.
    """
    outcome_id = outcome.id or new_id()
    with transaction(db):
        refuse_unfinished(candidate_id, db=db)
        db.execute(
            """INSERT INTO outcomes (id, candidate_id, kind, final_text, agent, created)
               VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
            [outcome_id, candidate_id, outcome.kind, outcome.final_text, outcome.agent, now()],
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
