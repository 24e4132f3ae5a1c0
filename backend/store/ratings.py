"""Ratings: append-only, one current rating for each rater, candidate and rubric.

A second thought is a new row that names the one it supersedes; nothing is changed or deleted (the
schema's triggers refuse it). `current_ratings` is the view without what was superseded.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlite_utils import Database

from backend.domain.errors import CandidateUnfinished, UnknownCandidate, UnknownSuggestion
from backend.domain.rating import Rating
from backend.domain.rubric import Rubric
from backend.store.database import new_id, now, transaction

_NOT_DONE = {
    "queued": "is still waiting to be written. Rate it once its text is complete.",
    "writing": "is still being written. Rate it once its text is complete.",
    "failed": "failed and has no text to judge. Rate the others, or ask for a fresh suggestion.",
    "cancelled": "was cancelled before its end. Rate the others, or ask for a fresh suggestion.",
}


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
