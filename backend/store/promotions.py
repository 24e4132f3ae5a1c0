"""Names that point to models, such as `production`: promoted to one, rolled back to the last.

A promotion is a row. While the new model's runner starts it is `pending`; the supervisor makes it
`current` once the runner has answered, or `failed` with the reason, and then nothing has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlite_utils import Database

from backend.domain.errors import Conflict
from backend.store.models import model_named, set_active
from backend.system.database import now, transaction

PRODUCTION = "production"
_COLUMNS = "id, alias, model, replaced, state, problem, created"
AliasState = Literal["pending", "current", "past", "failed"]


@dataclass(frozen=True)
class Promotion:
    """One change of an alias."""

    id: int
    alias: str
    model: str
    replaced: str | None
    state: AliasState
    problem: str
    created: str


def promotions(db: Database) -> list[Promotion]:
    """All changes of aliases, newest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM aliases ORDER BY id DESC").fetchall()  # noqa: S608
    return [Promotion(*row) for row in rows]


def aliases(db: Database) -> dict[str, str]:
    """Each alias and the model it points to now."""
    current = [promotion for promotion in promotions(db) if promotion.state == "current"]
    return {promotion.alias: promotion.model for promotion in current}


def ask_promotion(model: str, *, db: Database, alias: str = PRODUCTION) -> int:
    """Asks that `alias` points to the model; a pending wish for the same alias gives way."""
    with transaction(db):
        model_named(model, db=db)
        current = aliases(db).get(alias)
        if current == model:
            raise Conflict(f"{alias} is {model} already.")
        db.execute(
            "UPDATE aliases SET state = 'failed', problem = 'A later promotion took its place.' "
            "WHERE alias = ? AND state = 'pending'",
            [alias],
        )
        db.execute(
            "INSERT INTO aliases (alias, model, replaced, state, created) "
            "VALUES (?, ?, ?, 'pending', ?)",
            [alias, model, current, now()],
        )
        (promotion,) = db.execute("SELECT max(id) FROM aliases").fetchone()
    return int(promotion)


def ask_rollback(*, db: Database, alias: str = PRODUCTION) -> str:
    """Asks that `alias` points again to what it pointed to before; returns that model's name."""
    current = [
        promotion
        for promotion in promotions(db)
        if promotion.alias == alias and promotion.state == "current"
    ]
    if not current or not current[0].replaced:
        raise Conflict(f"{alias} was never anything else, so there is nothing to go back to.")
    ask_promotion(current[0].replaced, db=db, alias=alias)
    return current[0].replaced


def complete(promotion: Promotion, *, db: Database) -> None:
    """The model has answered: switch to it. It answers clicks from now on, the replaced one not.

    Nothing changes if a later wish has taken this one's place meanwhile.
    """
    with transaction(db):
        pending = "SELECT 1 FROM aliases WHERE id = ? AND state = 'pending'"
        if not db.execute(pending, [promotion.id]).fetchone():
            return
        db.execute(
            "UPDATE aliases SET state = 'past' WHERE alias = ? AND state = 'current'",
            [promotion.alias],
        )
        db.execute("UPDATE aliases SET state = 'current' WHERE id = ?", [promotion.id])
        set_active(promotion.model, True, db=db)
        if promotion.replaced and promotion.replaced != promotion.model:
            set_active(promotion.replaced, False, db=db)


def give_up(promotion: Promotion, problem: str, *, db: Database) -> None:
    """The model cannot serve: the alias stays where it is."""
    db.execute(
        "UPDATE aliases SET state = 'failed', problem = ? WHERE id = ? AND state = 'pending'",
        [problem, promotion.id],
    )
