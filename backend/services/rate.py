"""What people say of candidates and do with them: ratings, outcomes, and uses not yet sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database

from backend.domain.rating import Rating
from backend.domain.suggestion import Outcome, Suggestion
from backend.store.outcomes import add_outcome, open_uses
from backend.store.ratings import add_rating, revealed
from backend.store.suggestions import suggestion, suggestion_of

USED_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Rated:
    """A rating that was saved, and the suggestion that it belongs to."""

    id: str
    suggestion: Suggestion
    is_revealed: bool


def rate(candidate_id: str, rating: Rating, *, db: Database) -> Rated:
    """Saves the rating; a later one by the same rater supersedes it.

    Raises UnknownCandidate, CandidateUnfinished.
    """
    rating_id = add_rating(candidate_id, rating, db=db)
    found = suggestion(suggestion_of(candidate_id, db=db), db=db)
    return Rated(rating_id, found, revealed(found.id, rating.rater, db=db))


def report_outcome(candidate_id: str, outcome: Outcome, *, db: Database) -> str:
    """Saves what became of a candidate; the outcome's id. Raises as `rate` does."""
    return add_outcome(candidate_id, outcome, db=db)


def unsent_uses(ticket: str, agent: str, *, db: Database) -> list[dict[str, str]]:
    """The replies that an agent used in a ticket of late and that are not known as sent."""
    since = (datetime.now(UTC) - USED_WITHIN).isoformat(timespec="milliseconds")
    return open_uses(ticket, agent, since=since, db=db)
