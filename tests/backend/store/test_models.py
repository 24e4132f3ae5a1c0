"""Models and their runners as rows: who is registered, who is busy, what runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlite_utils import Database

from backend.domain.errors import NameTaken, UnknownModel
from backend.domain.model_card import ModelCard
from backend.store import models
from backend.store.models import Model, Runner, add_model, keep_runner, model_named, runners
from tests.backend.candidates import add_candidates

GGUF = Model("tuned", "gguf", path="/models/tuned.gguf", sha256="a" * 64, active=True)


def test_a_model_comes_back_as_it_was_registered(db: Database) -> None:
    card = ModelCard(name="tuned", sha256="a" * 64).to_json()
    model = replace(GGUF, card=card, prompt_tokens=600)

    add_model(model, db=db)

    assert model_named("tuned", db=db) == model


def test_a_name_is_given_once(db: Database) -> None:
    add_model(GGUF, db=db)

    with pytest.raises(NameTaken, match="is registered"):
        add_model(GGUF, db=db)
    models.remove_model("tuned", db=db)
    with pytest.raises(NameTaken, match="was removed"):
        add_model(GGUF, db=db)


def test_a_removed_model_is_known_as_removed(db: Database) -> None:
    add_model(GGUF, db=db)
    assert not models.is_removed("tuned", db=db)
    assert not models.is_removed("never-there", db=db)

    models.remove_model("tuned", db=db)

    assert models.is_removed("tuned", db=db)
    with pytest.raises(UnknownModel, match="none yet"):
        model_named("tuned", db=db)


def test_only_what_answers_with_a_stored_text_is_stored(db: Database) -> None:
    add_model(GGUF, db=db)
    add_model(Model("nearest", "nearest"), db=db)

    assert models.stored_models(db) == {"nearest"}


def test_a_model_that_is_rebuilt_keeps_its_name_and_place(db: Database) -> None:
    for name in ("tuned", "other"):
        add_model(replace(GGUF, name=name), db=db)
    rebuilt = replace(
        GGUF,
        path="/models/anew.gguf",
        sha256="b" * 64,
        card=ModelCard(name="tuned", sha256="b" * 64).to_json(),
        prompt_tokens=512,
    )

    models.move_model(rebuilt, db=db)

    assert models.models(db) == [rebuilt, replace(GGUF, name="other")]


@pytest.mark.parametrize(
    ("state", "busy"),
    [("queued", True), ("writing", True), ("done", False), ("failed", False), ("cancelled", False)],
)
def test_a_model_is_busy_while_its_candidates_are_not_finished(
    db: Database, state: str, busy: bool
) -> None:
    for name in ("tuned", "other"):
        add_model(replace(GGUF, name=name), db=db)

    add_candidates(["tuned"], db=db, state=state)

    assert models.busy("tuned", db=db) == busy
    assert not models.busy("other", db=db)


def test_a_runner_is_kept_as_it_is_last_seen(db: Database) -> None:
    add_model(GGUF, db=db)
    starting = Runner("tuned", "starting", pid=7)
    ready = Runner("tuned", "ready", "http://127.0.0.1:1/v1", "key", 7, "")

    keep_runner(starting, db=db)
    keep_runner(ready, db=db)

    assert runners(db) == {"tuned": ready}


def test_runners_that_have_ended_are_forgotten(db: Database) -> None:
    for name in ("one", "two", "three"):
        add_model(replace(GGUF, name=name), db=db)
        keep_runner(Runner(name, "ready"), db=db)

    models.forget_runner("two", db=db)
    assert set(runners(db)) == {"one", "three"}
    models.forget_runners(db)

    assert runners(db) == {}
