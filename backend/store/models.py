"""Which models there are, which are active, and which of them run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlite_utils import Database

from backend.domain.errors import NameTaken, UnknownModel
from backend.domain.model_card import ModelCard
from backend.system.database import now, transaction

ModelKind = Literal["gguf", "chat", "nearest"]
RunnerState = Literal["starting", "ready", "draining", "failed", "stopped"]
SERVING = ("ready", "draining")  # a draining runner still does what was asked before

_COLUMNS = (
    "name, kind, path, sha256, base_url, remote_name, key_variable, card, prompt_tokens, active"
)


@dataclass(frozen=True)
class Model:
    """A model that can answer: a GGUF we run, a chat endpoint, or the nearest solved ticket.

    `key_variable` names the environment variable with an endpoint's key: keys are never stored.
    """

    name: str
    kind: ModelKind
    path: str = ""
    sha256: str = ""
    base_url: str = ""
    remote_name: str = ""
    key_variable: str = ""
    card: str = "{}"
    prompt_tokens: int | None = None
    active: bool = False

    @property
    def model_card(self) -> ModelCard | None:
        """The card that came with a GGUF, if one did."""
        return None if self.card == "{}" else ModelCard.from_json(self.card)


@dataclass(frozen=True)
class Runner:
    """A runner process as the supervisor sees it."""

    model: str
    state: RunnerState
    base_url: str = ""
    key: str = ""
    pid: int | None = None
    problem: str = ""


def stored_models(db: Database) -> set[str]:
    """The names of models that answer with a stored text, at once."""
    return {row["name"] for row in db.query("SELECT name FROM models WHERE kind = 'nearest'")}


def add_model(model: Model, *, db: Database) -> None:
    """Registers a model. Raises NameTaken: a registered model is never changed in place."""
    with transaction(db):
        row = db.execute("SELECT removed FROM models WHERE name = ?", [model.name]).fetchone()
        if row:
            state = "was removed, but its ratings stay" if row[0] else "is registered"
            raise NameTaken(
                f"A model named {model.name!r} {state}. Choose another name, such as "
                f"{model.name}-2: ratings belong to exactly one model."
            )
        db.execute(
            f"INSERT INTO models ({_COLUMNS}, added) VALUES (?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
            [
                model.name,
                model.kind,
                model.path,
                model.sha256,
                model.base_url,
                model.remote_name,
                model.key_variable,
                model.card,
                model.prompt_tokens,
                int(model.active),
                now(),
            ],
        )


def models(db: Database) -> list[Model]:
    """All models that are not removed, oldest first."""
    rows = db.query(
        f"SELECT {_COLUMNS} FROM models WHERE removed IS NULL ORDER BY added, rowid"  # noqa: S608
    )
    return [Model(**{**row, "active": bool(row["active"])}) for row in rows]


def model_named(name: str, *, db: Database) -> Model:
    """The model with this name. Raises UnknownModel."""
    known = models(db)
    for model in known:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in known) or "none yet"
    raise UnknownModel(f"There is no model {name!r}. Registered: {names}.")


def active_models(db: Database) -> list[str]:
    """Names of the active models, oldest first."""
    return [model.name for model in models(db) if model.active]


def is_removed(name: str, *, db: Database) -> bool:
    """Whether a model of this name was removed: its name is taken for good."""
    row = db.execute("SELECT removed FROM models WHERE name = ?", [name]).fetchone()
    return bool(row and row[0])


def set_active(name: str, active: bool, *, db: Database) -> None:
    """Puts a model among those that answer each click, or takes it out. Raises UnknownModel."""
    model_named(name, db=db)
    db.execute("UPDATE models SET active = ? WHERE name = ?", [int(active), name])


def remove_model(name: str, *, db: Database) -> None:
    """Takes a model out of service for good; its candidates and ratings stay.

    What is not finished fails: nobody would claim it any more.
    """
    model_named(name, db=db)
    with transaction(db):
        db.execute("UPDATE models SET removed = ?, active = 0 WHERE name = ?", [now(), name])
        db.execute(
            "UPDATE candidates SET state = 'failed', problem = 'UnknownModel', problem_detail = ?, "
            "claim = NULL, finished = ? WHERE model = ? AND state IN ('queued', 'writing')",
            [f"{name} was removed before this was written.", now(), name],
        )


def keep_runner(runner: Runner, *, db: Database) -> None:
    """Saves what the supervisor knows of a runner."""
    db.execute(
        """
        INSERT INTO runners (model, state, base_url, key, pid, problem, changed)
        VALUES (?,?,?,?,?,?,?) ON CONFLICT (model) DO UPDATE SET state = excluded.state,
        base_url = excluded.base_url, key = excluded.key, pid = excluded.pid,
        problem = excluded.problem, changed = excluded.changed""",
        [
            runner.model,
            runner.state,
            runner.base_url,
            runner.key,
            runner.pid,
            runner.problem,
            now(),
        ],
    )


def runners(db: Database) -> dict[str, Runner]:
    """All runners by model name."""
    rows = db.execute("SELECT model, state, base_url, key, pid, problem FROM runners").fetchall()
    return {row[0]: Runner(*row) for row in rows}


def forget_runners(db: Database) -> None:
    """No runner is alive: a supervisor that starts says so first."""
    db.execute("DELETE FROM runners")


def forget_runner(model: str, *, db: Database) -> None:
    """The model's runner has ended."""
    db.execute("DELETE FROM runners WHERE model = ?", [model])


def busy(model: str, *, db: Database) -> bool:
    """Whether candidates of the model wait or are being written."""
    (found,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM candidates "
        "WHERE model = ? AND state IN ('queued', 'writing'))",
        [model],
    ).fetchone()
    return bool(found)


def wanted_ggufs(named: Sequence[str], *, db: Database) -> list[Model]:
    """The GGUFs that should run: active, named in the settings, or about to be promoted."""
    pending = {
        row[0] for row in db.execute("SELECT model FROM aliases WHERE state = 'pending'").fetchall()
    }
    wanted = pending.union(named)
    return [
        model
        for model in models(db)
        if model.kind == "gguf" and (model.active or model.name in wanted)
    ]


def move_model(model: Model, *, db: Database) -> None:
    """Points a registered name to another file: only for models that are rebuilt in place."""
    db.execute(
        "UPDATE models SET path = ?, sha256 = ?, card = ?, prompt_tokens = ? WHERE name = ?",
        [model.path, model.sha256, model.card, model.prompt_tokens, model.name],
    )
