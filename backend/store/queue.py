"""The candidates table as a work queue.

A candidate is claimed with one atomic UPDATE … RETURNING and held by a lease. Every later write
names the claim, so a worker that lost its lease, or whose candidate was cancelled, changes
nothing: whatever is killed, a candidate is finished once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.domain.passage import Passage
from backend.domain.prompt import Prompt
from backend.system.database import now, storage_errors, transaction


@dataclass(frozen=True)
class Work:
    """A claimed candidate with all that is needed to write it."""

    candidate_id: str
    claim: str
    model: str
    priority: int
    attempts: int
    steering: str
    subject: str
    text: str
    external_id: str
    contact: str = ""


@dataclass(frozen=True)
class Usage:
    """Tokens of one reply; None where the endpoint did not say."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


def claim(models: Sequence[str], *, lease_seconds: float, db: Database) -> Work | None:
    """The next candidate for one of these models, claimed; None if there is none.

    First those somebody waits for, then the oldest. A candidate whose lease ran out counts as
    waiting. Its text starts anew.
    """
    if not models:
        return None
    marks = ",".join("?" * len(models))
    token, moment = secrets.token_hex(8), time.time()
    with storage_errors():
        rows = db.execute(
            f"""
            UPDATE candidates SET state = 'writing', claim = ?, lease_until = ?, text = '',
                attempts = attempts + 1, claimed = ?, first_text = NULL
            WHERE id = (
                SELECT id FROM candidates WHERE state IN ('queued', 'writing')
                AND model IN ({marks}) AND not_before <= ?
                AND (state = 'queued' OR lease_until < ?)
                ORDER BY priority, queued, label LIMIT 1)
            RETURNING id, suggestion_id, model, priority, attempts""",  # noqa: S608 - marks only
            [token, moment + lease_seconds, now(), *models, moment, moment],
        ).fetchall()
    if not rows:
        return None
    candidate_id, suggestion_id, model, priority, attempts = rows[0]
    ticket = db.execute(
        "SELECT steering, subject, text, external_id, contact FROM suggestions "
        "JOIN tickets ON tickets.id = ticket_id WHERE suggestions.id = ?",
        [suggestion_id],
    ).fetchone()
    return Work(candidate_id, token, model, priority, attempts, *ticket)


def renew(claims: Sequence[str], *, lease_seconds: float, db: Database) -> set[str]:
    """Holds these claims for longer. Returns those still held; the others are cancelled or lost."""
    marks = ",".join("?" * len(claims))
    with storage_errors():
        rows = db.execute(
            "UPDATE candidates SET lease_until = ? "  # noqa: S608 - marks only
            f"WHERE state = 'writing' AND claim IN ({marks}) RETURNING claim",
            [time.time() + lease_seconds, *claims],
        ).fetchall()
    return {row[0] for row in rows}


def held(db: Database) -> set[str]:
    """All claims that hold a candidate now."""
    rows = db.execute("SELECT claim FROM candidates WHERE state = 'writing'").fetchall()
    return {row[0] for row in rows}


def keep_prompt(work: Work, prompt: Prompt, sha256: str, prompt_format: str, db: Database) -> bool:
    """Remembers what the model is about to read: hash, format and passages."""
    with transaction(db):
        if not _change(work, {"prompt_sha256": sha256, "prompt_format": prompt_format}, db):
            return False
        db.execute("DELETE FROM candidate_passages WHERE candidate_id = ?", [work.candidate_id])
        _keep_passages(work, prompt.passages, db)
    return True


def _keep_passages(work: Work, passages: Sequence[Passage], db: Database) -> None:
    for position, passage in enumerate(passages):
        db.table("candidate_passages").insert(
            {
                "candidate_id": work.candidate_id,
                "position": position,
                "key": passage.key,
                "kind": passage.kind,
                "title": passage.title,
                "url": passage.url,
                "score": passage.score,
            }
        )


def write(work: Work, text: str, *, lease_seconds: float, db: Database) -> bool:
    """Saves the text so far and renews the lease. False if it is no longer this worker's."""
    changes = {"text": text, "lease_until": time.time() + lease_seconds}
    return _change(work, changes, db, also="first_text = coalesce(first_text, ?)", values=[now()])


def finish(work: Work, text: str, reason: str, usage: Usage, *, db: Database) -> bool:
    """The reply is complete. False if somebody else finished or cancelled it."""
    return _end(
        work,
        {
            "state": "done",
            "text": text,
            "finish": reason,
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
            "problem": None,
            "problem_detail": None,
        },
        db,
    )


def fail(work: Work, problem: str, detail: str, *, db: Database) -> bool:
    """No reply will come; `problem` names the kind of error, `detail` is for a person."""
    return _end(work, {"state": "failed", "problem": problem, "problem_detail": detail}, db)


def try_again(work: Work, problem: str, detail: str, *, after_seconds: float, db: Database) -> bool:
    """Back into the queue, not to be claimed before `after_seconds` have passed."""
    changes = {
        "state": "queued",
        "text": "",
        "claim": None,
        "not_before": time.time() + after_seconds,
        "problem": problem,
        "problem_detail": detail,
    }
    return _change(work, changes, db)


def _end(work: Work, changes: Mapping[str, Any], db: Database) -> bool:
    return _change(work, {**changes, "claim": None, "finished": now()}, db)


def _change(
    work: Work,
    changes: Mapping[str, Any],
    db: Database,
    *,
    also: str = "",
    values: Sequence[Any] = (),
) -> bool:
    assignments = ", ".join([*(f"{name} = ?" for name in changes), *([also] if also else [])])
    with storage_errors():
        cursor = db.execute(
            f"UPDATE candidates SET {assignments} "  # noqa: S608 - names are ours
            "WHERE id = ? AND claim = ? AND state = 'writing'",
            [*changes.values(), *values, work.candidate_id, work.claim],
        )
    return cursor.rowcount == 1


def hand_back(db: Database) -> int:
    """The worker ends in order: what it held waits again, and the try does not count."""
    with storage_errors():
        cursor = db.execute(
            "UPDATE candidates SET state = 'queued', claim = NULL, text = '', "
            "attempts = max(0, attempts - 1) WHERE state = 'writing'"
        )
    return int(cursor.rowcount)


def release_all(db: Database) -> int:
    """The worker is gone: everything it held waits again. Returns how many."""
    with storage_errors():
        cursor = db.execute(
            "UPDATE candidates SET state = 'queued', claim = NULL, text = '' "
            "WHERE state = 'writing'"
        )
    return int(cursor.rowcount)


def give_up_waiting(model: str, *, queued_before: str, detail: str, db: Database) -> int:
    """Fails what waited too long for a model that does not run. Returns how many."""
    with storage_errors():
        cursor = db.execute(
            "UPDATE candidates SET state = 'failed', problem = 'NoModel', problem_detail = ?, "
            "finished = ?, claim = NULL WHERE queued < ? AND model = ? "
            "AND (state = 'queued' OR state = 'writing' AND lease_until < ?)",
            [detail, now(), queued_before, model, time.time()],
        )
    return int(cursor.rowcount)


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
