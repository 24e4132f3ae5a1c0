"""How long the queue is, how fast it moves, and what came out of it."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database


def waiting(db: Database) -> int:
    """How many candidates wait or are being written."""
    (count,) = db.execute(
        "SELECT count(*) FROM candidates WHERE state IN ('queued', 'writing')"
    ).fetchone()
    return int(count)


def ahead_of(suggestion_id: str, *, db: Database) -> int:
    """How many other suggestions' candidates are before this one's in the queue."""
    (count,) = db.execute(
        """
        SELECT count(*) FROM candidates AS other
        WHERE other.state IN ('queued', 'writing') AND other.suggestion_id <> :id
        AND EXISTS (SELECT 1 FROM candidates AS mine WHERE mine.suggestion_id = :id
            AND mine.state = 'queued' AND mine.model = other.model
            AND (other.priority, other.queued) < (mine.priority, mine.queued))""",
        {"id": suggestion_id},
    ).fetchone()
    return int(count)


def seconds_for(model: str, *, db: Database, last: int = 20) -> float | None:
    """Mean seconds from claim to end of the model's last replies, or None before the first."""
    (mean,) = db.execute(
        """
        SELECT avg(julianday(finished) - julianday(claimed)) * 86400 FROM (
            SELECT finished, claimed FROM candidates
            WHERE model = ? AND state = 'done' ORDER BY finished DESC LIMIT ?)""",
        [model, last],
    ).fetchone()
    return None if mean is None else float(mean)


def totals(db: Database) -> list[dict[str, Any]]:
    """Finished candidates by model and state: count, tokens, seconds from click to end."""
    return list(
        db.query(
            """
            SELECT model, state, count(*) AS count, total(prompt_tokens) AS prompt_tokens,
                total(cached_tokens) AS cached_tokens,
                total(completion_tokens) AS completion_tokens,
                total(julianday(finished) - julianday(queued)) * 86400 AS seconds
            FROM candidates WHERE state IN ('done', 'failed', 'cancelled')
            GROUP BY model, state ORDER BY model, state"""
        )
    )
