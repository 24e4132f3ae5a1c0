"""Registering OpenAI-compatible endpoints: addresses, and keys that are never stored."""

from __future__ import annotations

import pytest
from sqlite_utils import Database

from backend.domain.errors import BadInput, UnusableModel
from backend.services import deploy
from backend.services.answer import Engines
from backend.settings import Settings
from backend.store.models import active_models, model_named


def test_an_endpoint_keeps_the_name_of_its_keys_variable_only(db: Database) -> None:
    deploy.add_chat(
        "gpt", "https://api.openai.com/v1/", db=db, remote_name="gpt-4o", key_variable="MY_KEY"
    )

    model = model_named("gpt", db=db)
    assert (model.base_url, model.remote_name) == ("https://api.openai.com/v1", "gpt-4o")
    assert model.key_variable == "MY_KEY"
    assert not model.active


def test_an_endpoint_needs_an_address_only(db: Database) -> None:
    model = deploy.add_chat("m", "http://127.0.0.1:1/v1", db=db)

    assert (model.remote_name, model.key_variable, model.active) == ("m", "", False)
    assert model == model_named("m", db=db)


def test_a_model_is_active_until_it_is_taken_out(db: Database) -> None:
    deploy.add_chat("other", "http://127.0.0.1:1/v1", db=db, active=True)
    deploy.add_nearest(db=db, name="first")
    assert active_models(db) == ["other", "first"]

    found = deploy.deactivate("first", db=db)

    assert (found.name, found.active) == ("first", False)
    assert active_models(db) == ["other"]
    assert deploy.activate("first", db=db).active
    assert not deploy.add_nearest(db=db, name="second", active=False).active


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/v1",
        "file:///etc/passwd",
        "http://",
        "http://[::1/v1",
        "http://host:99999/v1",
        "http://host:port/v1",
        "http://host/v1?key=1",
        "http://host/v1#x",
    ],
)
def test_an_address_that_is_none_is_refused(db: Database, url: str) -> None:
    with pytest.raises(BadInput, match="no base URL"):
        deploy.add_chat("m", url, db=db)


def test_a_password_in_an_address_is_refused_and_not_repeated(db: Database) -> None:
    with pytest.raises(BadInput, match="environment variable") as error:
        deploy.add_chat("m", "https://user:hunter2@host/v1", db=db)

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("variable", ["sk-abc123", "MY KEY", "1KEY", "KEY=1"])
def test_a_key_is_not_taken_for_its_variables_name(db: Database, variable: str) -> None:
    with pytest.raises(BadInput, match="OPENAI_API_KEY"):
        deploy.add_chat("m", "http://127.0.0.1:1/v1", db=db, key_variable=variable)


def test_an_endpoint_whose_key_is_missing_says_which_variable(db: Database) -> None:
    model = deploy.add_chat("m", "http://127.0.0.1:1/v1", db=db, key_variable="MY_KEY")

    with pytest.raises(UnusableModel, match="MY_KEY, which is not set"):
        Engines(Settings(), db, environment={}).engine(model, runner=None, exclude_source="")
    assert Engines(Settings(), db, environment={"MY_KEY": "x"}).engine(
        model, runner=None, exclude_source=""
    )
