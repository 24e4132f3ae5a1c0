"""Ratings: append-only, one current rating for each rater, candidate and rubric.

A second thought is a new row that names the one it supersedes; nothing is changed or deleted (the
schema's triggers refuse it). `current_ratings` is the view without what was superseded.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from backend.domain.errors import CandidateUnfinished, UnknownCandidate, UnknownSuggestion
from backend.domain.rating import Rating, overall
from backend.domain.rubric import Rubric, rubric_named
from backend.domain.ticket import Ticket
from backend.system.database import new_id, now, transaction

_NOT_DONE = {
    "queued": "is still waiting to be written. Rate it once its text is complete.",
    "writing": "is still being written. Rate it once its text is complete.",
    "failed": "failed and has no text to judge. Rate the others, or ask for a fresh suggestion.",
    "cancelled": "was cancelled before its end. Rate the others, or ask for a fresh suggestion.",
}
_TICKET = "tickets.subject, tickets.text AS asked, tickets.external_id, tickets.language, contact"


@dataclass(frozen=True)
class RatedCandidate:
    """A current rating with what it was about."""

    rating_id: str
    candidate_id: str
    suggestion_id: str
    label: str
    model: str
    text: str
    question: str
    external_id: str
    language: str
    created: str
    contact: str
    rating: Rating

    @property
    def overall(self) -> float | None:
        """The weighted mean of the scores, None if there are none."""
        return overall(self.rating)


@dataclass(frozen=True)
class SentReply:
    """What an agent sent to a customer, starting from a candidate."""

    outcome_id: str
    text: str
    question: str
    external_id: str
    language: str
    created: str
    contact: str


@dataclass(frozen=True)
class Flags:
    """How many current ratings a model has and how many of them say: critical."""

    ratings: int
    critical: int


def add_rating(candidate_id: str, rating: Rating, *, db: Database) -> str:
    """Save what a rater says of a finished candidate; its id.

    The rater's earlier rating of the same candidate by the same rubric is superseded. Raises
    UnknownCandidate, or CandidateUnfinished for a candidate without a complete text.
    """
    with transaction(db):
        refuse_unfinished(candidate_id, db=db)
        _remember_rubric(rating.rubric, db)
        rating_id = new_id()
        db.execute(
            """INSERT INTO ratings (id, candidate_id, rater, rubric, rubric_version, critical,
                                    comment, ideal_answer, supersedes, created)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            [
                rating_id,
                candidate_id,
                rating.rater,
                rating.rubric.name,
                rating.rubric.version,
                int(rating.critical),
                rating.comment,
                rating.ideal_answer,
                _current(candidate_id, rating, db),
                now(),
            ],
        )
        db.conn.executemany(
            "INSERT INTO scores (rating_id, criterion, score) VALUES (?, ?, ?)",
            [(rating_id, criterion, score) for criterion, score in rating.scores.items()],
        )
    return rating_id


def refuse_unfinished(candidate_id: str, *, db: Database) -> None:
    """Raises UnknownCandidate, or CandidateUnfinished for any state but done."""
    found = list(db.query("SELECT label, state FROM candidates WHERE id = ?", [candidate_id]))
    if not found:
        raise UnknownCandidate(
            f"There is no candidate {candidate_id!r}. Load the suggestion again for its candidates."
        )
    state = found[0]["state"]
    if state != "done":
        raise CandidateUnfinished(f"Candidate {found[0]['label']} {_NOT_DONE[state]}")


def rated_candidates(suggestion_id: str, rater: str, *, db: Database) -> set[str]:
    """The ids of the suggestion's candidates of which this rater has said something."""
    rows = db.query(
        """SELECT DISTINCT ratings.candidate_id FROM ratings
           JOIN candidates ON candidates.id = ratings.candidate_id
           WHERE candidates.suggestion_id = ? AND ratings.rater = ?""",
        [suggestion_id, rater],
    )
    return {row["candidate_id"] for row in rows}


def revealed(suggestion_id: str, rater: str, *, db: Database) -> bool:
    """Whether this rater may see which model wrote what.

    So it is once every candidate of the suggestion is finished and each that is done has, from
    this rater, a current rating with a score for every criterion of its rubric. Never with none
    done. Raises UnknownSuggestion.
    """
    rows = list(
        db.query(
            "SELECT id, state FROM candidates WHERE suggestion_id = ?",
            [suggestion_id],
        )
    )
    if not rows:
        raise UnknownSuggestion(f"There is no suggestion {suggestion_id!r}. Ask for a new one.")
    done = {row["id"] for row in rows if row["state"] == "done"}
    unfinished = any(row["state"] in ("queued", "writing") for row in rows)
    return bool(done) and not unfinished and done <= _fully_rated(suggestion_id, rater, db)


def _fully_rated(suggestion_id: str, rater: str, db: Database) -> set[str]:
    rows = db.query(
        """SELECT candidate_id FROM current_ratings AS rating
           JOIN candidates ON candidates.id = rating.candidate_id
           JOIN rubrics ON rubrics.name = rating.rubric AND rubrics.version = rubric_version
           WHERE candidates.suggestion_id = ? AND rating.rater = ?
             AND (SELECT count(*) FROM scores WHERE rating_id = rating.id)
               = json_array_length(rubrics.definition, '$.criteria')""",
        [suggestion_id, rater],
    )
    return {row["candidate_id"] for row in rows}


def _current(candidate_id: str, rating: Rating, db: Database) -> str | None:
    rows = list(
        db.query(
            """SELECT id FROM current_ratings
               WHERE candidate_id = ? AND rater = ? AND rubric = ?""",
            [candidate_id, rating.rater, rating.rubric.name],
        )
    )
    return rows[0]["id"] if rows else None


def _remember_rubric(rubric: Rubric, db: Database) -> None:
    db.execute(
        "INSERT OR IGNORE INTO rubrics (name, version, definition) VALUES (?, ?, ?)",
        [rubric.name, rubric.version, json.dumps(asdict(rubric), ensure_ascii=False)],
    )


def score_counts(rubric: Rubric, *, db: Database) -> dict[tuple[str, str], dict[int, int]]:
    """By model and criterion: how often each score was given in current ratings."""
    rows = db.query(
        """SELECT candidates.model, criterion, score, count(*) AS number
           FROM current_ratings AS rating
           JOIN candidates ON candidates.id = rating.candidate_id
           JOIN scores ON scores.rating_id = rating.id
           WHERE rating.rubric = ? AND rating.rubric_version = ?
           GROUP BY candidates.model, criterion, score""",
        [rubric.name, rubric.version],
    )
    counts: dict[tuple[str, str], dict[int, int]] = {}
    for row in rows:
        counts.setdefault((row["model"], row["criterion"]), {})[row["score"]] = row["number"]
    return counts


def rating_flags(rubric: Rubric, *, db: Database) -> dict[str, Flags]:
    """By model: how many current ratings there are by this rubric, and how many are critical."""
    rows = db.query(
        """SELECT candidates.model, count(*) AS ratings, sum(rating.critical) AS critical
           FROM current_ratings AS rating
           JOIN candidates ON candidates.id = rating.candidate_id
           WHERE rating.rubric = ? AND rating.rubric_version = ?
           GROUP BY candidates.model""",
        [rubric.name, rubric.version],
    )
    return {row["model"]: Flags(row["ratings"], row["critical"]) for row in rows}


def current_ratings(*, db: Database) -> list[RatedCandidate]:
    """All ratings that were not superseded, oldest first."""
    rows = db.query(
        f"""SELECT rating.id AS rating_id, rating.candidate_id, suggestion_id, label, model,
                   candidates.text, {_TICKET}, rating.created, rater, rubric, rubric_version,
                   critical, comment, ideal_answer,
                   (SELECT json_group_object(criterion, score) FROM scores
                    WHERE rating_id = rating.id) AS scores
            FROM current_ratings AS rating
            JOIN candidates ON candidates.id = rating.candidate_id
            JOIN suggestions ON suggestions.id = candidates.suggestion_id
            JOIN tickets ON tickets.id = suggestions.ticket_id
            ORDER BY rating.created, rating.rowid"""  # noqa: S608 - no value in it
    )
    return [_rated(row) for row in rows]


def sent_replies(*, db: Database) -> list[SentReply]:
    """What was sent, oldest first; the candidate's own text where it was sent as it stood."""
    rows = db.query(
        f"""SELECT outcomes.id AS outcome_id, {_TICKET}, outcomes.created,
                   CASE trim(final_text) WHEN '' THEN candidates.text ELSE final_text END AS text
            FROM outcomes
            JOIN candidates ON candidates.id = outcomes.candidate_id
            JOIN suggestions ON suggestions.id = candidates.suggestion_id
            JOIN tickets ON tickets.id = suggestions.ticket_id
            WHERE outcomes.kind = 'sent' ORDER BY outcomes.created, outcomes.rowid"""  # noqa: S608
    )
    return [SentReply(question=_question(row), **row) for row in rows]


def salt_for(purpose: str, *, db: Database) -> str:
    """A random text of this database for this purpose, always the same once it was made."""
    db.execute(
        "INSERT OR IGNORE INTO salts (purpose, salt) VALUES (?, ?)",
        [purpose, secrets.token_hex(16)],
    )
    row = db.execute("SELECT salt FROM salts WHERE purpose = ?", [purpose]).fetchone()
    return str(row[0])


def _question(row: dict[str, Any]) -> str:
    return Ticket(subject=row.pop("subject"), text=row.pop("asked")).question


def _rated(row: Mapping[str, Any]) -> RatedCandidate:
    rest = dict(row)
    question = _question(rest)
    rating = Rating(
        rater=rest.pop("rater"),
        rubric=rubric_named(rest.pop("rubric"), int(rest.pop("rubric_version"))),
        scores=json.loads(rest.pop("scores")),
        critical=bool(rest.pop("critical")),
        comment=rest.pop("comment"),
        ideal_answer=rest.pop("ideal_answer"),
    )
    return RatedCandidate(rating=rating, question=question, **rest)
