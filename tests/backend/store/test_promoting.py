"""Promotions as rows: asked, done, failed, taken back."""

from __future__ import annotations

import pytest
from sqlite_utils import Database

from backend.domain.errors import Conflict, UnknownModel
from backend.services import deploying
from backend.services.overview import model_states
from backend.store import aliases
from backend.store.aliases import Promotion
from backend.store.models import Model, active_models, add_model, wanted_ggufs


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    for name in ("one", "two", "three"):
        add_model(Model(name=name, kind="gguf", path=f"/{name}.gguf"), db=db)


def pending(db: Database) -> Promotion:
    (found,) = [one for one in aliases.promotions(db) if one.state == "pending"]
    return found


def promote(name: str, db: Database) -> None:
    deploying.promote(name, db=db)
    aliases.complete(pending(db), db=db)


def states(db: Database) -> list[tuple[str, str]]:
    return [(one.model, one.state) for one in reversed(aliases.promotions(db))]


def test_a_promotion_waits_until_the_model_has_answered(db: Database) -> None:
    deploying.promote("one", db=db)

    assert aliases.aliases(db) == {}
    assert [model.name for model in wanted_ggufs([], db=db)] == ["one"]
    assert active_models(db) == []

    aliases.complete(pending(db), db=db)

    assert aliases.aliases(db) == {"production": "one"}
    assert active_models(db) == ["one"]
    assert [one.aliases for one in model_states(db)] == [("production",), (), ()]


def test_the_replaced_model_answers_no_more(db: Database) -> None:
    promote("one", db)

    promote("two", db)

    assert states(db) == [("one", "past"), ("two", "current")]
    assert active_models(db) == ["two"]


def test_a_promotion_that_fails_changes_nothing_but_says_why(db: Database) -> None:
    promote("one", db)
    deploying.promote("two", db=db)

    aliases.give_up(pending(db), "No memory.", db=db)

    assert states(db) == [("one", "current"), ("two", "failed")]
    assert aliases.promotions(db)[0].problem == "No memory."
    assert active_models(db) == ["one"]


def test_a_later_wish_takes_the_place_of_one_that_waits(db: Database) -> None:
    promote("one", db)
    deploying.promote("two", db=db)
    overtaken = pending(db)
    deploying.promote("three", db=db)

    aliases.complete(overtaken, db=db)
    aliases.give_up(overtaken, "too late", db=db)

    assert states(db) == [("one", "current"), ("two", "failed"), ("three", "pending")]
    assert aliases.promotions(db)[1].problem == "A later promotion took its place."
    aliases.complete(pending(db), db=db)
    assert aliases.aliases(db) == {"production": "three"}


def test_what_is_production_already_is_not_promoted_again(db: Database) -> None:
    promote("one", db)

    with pytest.raises(Conflict, match="production is one already"):
        deploying.promote("one", db=db)


def test_a_rollback_goes_to_the_model_before_and_back_again(db: Database) -> None:
    promote("one", db)
    promote("two", db)

    assert deploying.roll_back("two", db=db).name == "one"
    aliases.complete(pending(db), db=db)
    assert aliases.aliases(db) == {"production": "one"}
    assert active_models(db) == ["one"]

    assert deploying.roll_back("one", db=db).name == "two"


def test_without_a_model_before_there_is_nothing_to_go_back_to(db: Database) -> None:
    with pytest.raises(Conflict, match="production is no model yet, not one"):
        deploying.roll_back("one", db=db)
    promote("one", db)

    with pytest.raises(Conflict, match="nothing to go back to"):
        deploying.roll_back("one", db=db)


def test_only_the_model_that_is_production_is_rolled_back(db: Database) -> None:
    promote("one", db)
    promote("two", db)

    with pytest.raises(Conflict, match="production is two, not one"):
        deploying.roll_back("one", db=db)


def test_a_model_that_was_removed_is_nothing_to_go_back_to(db: Database) -> None:
    promote("one", db)
    promote("two", db)
    deploying.remove("one", db=db)

    with pytest.raises(UnknownModel, match="no model 'one'"):
        deploying.roll_back("two", db=db)


@pytest.mark.parametrize("done", [True, False])
def test_a_model_with_a_name_cannot_be_removed(db: Database, done: bool) -> None:
    deploying.promote("one", db=db)
    if done:
        aliases.complete(pending(db), db=db)

    with pytest.raises(Conflict, match=r"production is one\. Promote another model first"):
        deploying.remove("one", db=db)


def test_a_model_that_is_production_no_more_can_be_removed(db: Database) -> None:
    promote("one", db)
    promote("two", db)

    deploying.remove("one", db=db)

    assert [one.model.name for one in model_states(db)] == ["two", "three"]


def test_only_ggufs_that_are_active_named_or_awaited_are_run(db: Database) -> None:
    deploying.activate("one", db=db)
    add_model(Model(name="far", kind="chat", active=True), db=db)

    assert [model.name for model in wanted_ggufs(["three", "far"], db=db)] == ["one", "three"]
