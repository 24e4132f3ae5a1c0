"""Promotions as rows: asked, done, failed, taken back."""

from __future__ import annotations

import pytest
from sqlite_utils import Database

from backend.domain.errors import Conflict, UnknownModel
from backend.services import deploy
from backend.services.status import model_states
from backend.store import promotions
from backend.store.models import Model, active_models, add_model, wanted_ggufs
from backend.store.promotions import Promotion


@pytest.fixture(autouse=True)
def models(db: Database) -> None:
    for name in ("one", "two", "three"):
        add_model(Model(name=name, kind="gguf", path=f"/{name}.gguf"), db=db)


def pending(db: Database) -> Promotion:
    (found,) = [one for one in promotions.promotions(db) if one.state == "pending"]
    return found


def promote(name: str, db: Database) -> None:
    deploy.promote(name, db=db)
    promotions.complete(pending(db), db=db)


def states(db: Database) -> list[tuple[str, str]]:
    return [(one.model, one.state) for one in reversed(promotions.promotions(db))]


def test_a_promotion_waits_until_the_model_has_answered(db: Database) -> None:
    deploy.promote("one", db=db)

    assert promotions.aliases(db) == {}
    assert [model.name for model in wanted_ggufs([], db=db)] == ["one"]
    assert active_models(db) == []

    promotions.complete(pending(db), db=db)

    assert promotions.aliases(db) == {"production": "one"}
    assert active_models(db) == ["one"]
    assert [one.aliases for one in model_states(db)] == [("production",), (), ()]


def test_the_replaced_model_answers_no_more(db: Database) -> None:
    promote("one", db)

    promote("two", db)

    assert states(db) == [("one", "past"), ("two", "current")]
    assert active_models(db) == ["two"]


def test_a_promotion_that_fails_changes_nothing_but_says_why(db: Database) -> None:
    promote("one", db)
    deploy.promote("two", db=db)

    promotions.give_up(pending(db), "No memory.", db=db)

    assert states(db) == [("one", "current"), ("two", "failed")]
    assert promotions.promotions(db)[0].problem == "No memory."
    assert active_models(db) == ["one"]


def test_a_later_wish_takes_the_place_of_one_that_waits(db: Database) -> None:
    promote("one", db)
    deploy.promote("two", db=db)
    overtaken = pending(db)
    deploy.promote("three", db=db)

    promotions.complete(overtaken, db=db)
    promotions.give_up(overtaken, "too late", db=db)

    assert states(db) == [("one", "current"), ("two", "failed"), ("three", "pending")]
    assert promotions.promotions(db)[1].problem == "A later promotion took its place."
    promotions.complete(pending(db), db=db)
    assert promotions.aliases(db) == {"production": "three"}


def test_what_is_production_already_is_not_promoted_again(db: Database) -> None:
    promote("one", db)

    with pytest.raises(Conflict, match="production is one already"):
        deploy.promote("one", db=db)


def test_a_rollback_goes_to_the_model_before_and_back_again(db: Database) -> None:
    promote("one", db)
    promote("two", db)

    assert deploy.roll_back("two", db=db).name == "one"
    promotions.complete(pending(db), db=db)
    assert promotions.aliases(db) == {"production": "one"}
    assert active_models(db) == ["one"]

    assert deploy.roll_back("one", db=db).name == "two"


def test_without_a_model_before_there_is_nothing_to_go_back_to(db: Database) -> None:
    with pytest.raises(Conflict, match="production is no model yet, not one"):
        deploy.roll_back("one", db=db)
    promote("one", db)

    with pytest.raises(Conflict, match="nothing to go back to"):
        deploy.roll_back("one", db=db)


def test_only_the_model_that_is_production_is_rolled_back(db: Database) -> None:
    promote("one", db)
    promote("two", db)

    with pytest.raises(Conflict, match="production is two, not one"):
        deploy.roll_back("one", db=db)


def test_a_model_that_was_removed_is_nothing_to_go_back_to(db: Database) -> None:
    promote("one", db)
    promote("two", db)
    deploy.remove("one", db=db)

    with pytest.raises(UnknownModel, match="no model 'one'"):
        deploy.roll_back("two", db=db)


@pytest.mark.parametrize("done", [True, False])
def test_a_model_with_a_name_cannot_be_removed(db: Database, done: bool) -> None:
    deploy.promote("one", db=db)
    if done:
        promotions.complete(pending(db), db=db)

    with pytest.raises(Conflict, match=r"production is one\. Promote another model first"):
        deploy.remove("one", db=db)


def test_a_model_that_is_production_no_more_can_be_removed(db: Database) -> None:
    promote("one", db)
    promote("two", db)

    deploy.remove("one", db=db)

    assert [one.model.name for one in model_states(db)] == ["two", "three"]


def test_only_ggufs_that_are_active_named_or_awaited_are_run(db: Database) -> None:
    deploy.activate("one", db=db)
    add_model(Model(name="far", kind="chat", active=True), db=db)

    assert [model.name for model in wanted_ggufs(["three", "far"], db=db)] == ["one", "three"]


def test_each_alias_goes_back_to_what_it_was_itself(db: Database) -> None:
    for name, alias in (("one", "trial"), ("two", "trial"), ("three", "production")):
        promotions.ask_promotion(name, db=db, alias=alias)
        promotions.complete(pending(db), db=db)

    assert promotions.ask_rollback(db=db, alias="trial") == "one"

    assert (pending(db).alias, pending(db).model) == ("trial", "one")
    with pytest.raises(Conflict, match="production was never anything else"):
        promotions.ask_rollback(db=db)
