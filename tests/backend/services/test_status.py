"""How the product is, told from its models and their runners."""

from __future__ import annotations

import pytest
from sqlite_utils import Database

from backend.services.status import model_states, ready
from backend.store.models import Model, Runner, RunnerState, add_model, keep_runner


def add(db: Database, name: str, runner: RunnerState | None, *, active: bool = True) -> None:
    add_model(Model(name, "gguf", path=f"/{name}.gguf", active=active), db=db)
    if runner:
        keep_runner(Runner(name, runner, problem="It fell." if runner == "failed" else ""), db=db)


def test_each_kind_of_model_has_its_state(db: Database) -> None:
    add(db, "off", None)
    add(db, "broken", "failed")
    add_model(Model("chat", "chat", base_url="http://127.0.0.1:9/v1"), db=db)
    add_model(Model("nearest", "nearest"), db=db)

    states = {state.model.name: (state.state, state.problem) for state in model_states(db)}

    assert states == {
        "off": ("stopped", ""),
        "broken": ("failed", "It fell."),
        "chat": ("remote", ""),
        "nearest": ("ready", ""),
    }


@pytest.mark.parametrize(
    ("runners", "is_ready"),
    [
        (["ready"], True),
        (["ready", "failed"], True),
        (["ready", "starting"], False),
        (["ready", None], False),
        (["failed"], False),
        ([], False),
    ],
)
def test_a_click_is_answered_once_nothing_starts_and_one_can(
    db: Database, runners: list[RunnerState | None], is_ready: bool
) -> None:
    for number, runner in enumerate(runners):
        add(db, f"model-{number}", runner)

    assert ready(db) == is_ready


def test_an_endpoint_alone_can_answer(db: Database) -> None:
    add_model(Model("chat", "chat", base_url="http://127.0.0.1:9/v1", active=True), db=db)

    assert ready(db)


def test_the_models_that_are_named_count_and_no_others(db: Database) -> None:
    add(db, "on", "ready", active=False)
    add(db, "starts", "starting", active=True)

    assert ready(db, named=["on"])
    assert not ready(db, named=["starts"])
    assert not ready(db)
