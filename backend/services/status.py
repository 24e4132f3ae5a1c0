"""How the product is: models and their runners, queue, and whether a click would be answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from backend.store import promotions, queue
from backend.store.models import Model, models, runners


@dataclass(frozen=True)
class ModelState:
    """A model and what runs of it: ready, starting, draining, failed, stopped, or remote."""

    model: Model
    state: str
    problem: str
    aliases: tuple[str, ...]


def model_states(db: Database) -> list[ModelState]:
    """Every model, oldest first."""
    running = runners(db)
    names = promotions.aliases(db)
    states = []
    for model in models(db):
        runner = running.get(model.name)
        if model.kind != "gguf":
            state, problem = "remote" if model.kind == "chat" else "ready", ""
        elif runner is None:
            state, problem = "stopped", ""
        else:
            state, problem = runner.state, runner.problem
        mine = tuple(alias for alias, name in names.items() if name == model.name)
        states.append(ModelState(model, state, problem, mine))
    return states


def ready(db: Database, *, named: Sequence[str] = ()) -> bool:
    """Whether a click would be answered: none of its models still starts, and at least one can.

    Its models are those `named` in the settings, else the active ones.
    """
    states = [
        found.state
        for found in model_states(db)
        if (found.model.name in named if named else found.model.active)
    ]
    return (
        "starting" not in states
        and "stopped" not in states
        and ("ready" in states or "remote" in states)
    )


def queue_length(db: Database) -> int:
    """How many candidates wait or are being written."""
    return queue.waiting(db)


def totals(db: Database) -> list[dict[str, Any]]:
    """Finished candidates by model and state: count, tokens, seconds from click to end."""
    return queue.totals(db)
