"""Registering GGUFs with their cards and hashes, and taking models out."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from backend.domain import prompt
from backend.domain.errors import (
    BadInput,
    HashMismatch,
    NameTaken,
    NotAGguf,
    ProductError,
    UnknownModel,
    UnusableModel,
    WrongPromptFormat,
)
from backend.domain.model_card import ModelCard
from backend.domain.ticket import Ticket
from backend.services import deploy
from backend.services.status import model_states, ready
from backend.services.suggest import Ask, suggest
from backend.settings import SuggestSettings
from backend.store import queue
from backend.store.models import Runner, active_models, keep_runner, model_named, models
from backend.store.suggestions import suggestion
from tests.backend.candidates import add_models
from tests.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture
def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "support-7b.Q4_K_M.gguf"
    path.write_bytes(content)
    return path


def card_for(file: Path, **more: Any) -> ModelCard:
    facts = {"name": "support-7b", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    return ModelCard(**{**facts, **more})


def put_card(card: ModelCard, place: Path) -> None:
    place.write_text(card.to_json(), encoding="utf-8")


def test_a_gguf_is_registered_under_its_file_name_with_its_hash(db: Database, file: Path) -> None:
    model = deploy.add_gguf(file, db=db)

    assert model.name == "support-7b.Q4_K_M"
    assert model.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert model.path == str(file)
    assert model.model_card is None
    assert not model.active
    assert models(db) == [model]


@pytest.mark.parametrize("name", ["support-7b.Q4_K_M.model_card.json", "model_card.json"])
def test_its_card_gives_name_and_budget(db: Database, file: Path, name: str) -> None:
    card = card_for(file, prompt_tokens=512, prompt_format=prompt.FORMAT)
    put_card(card, file.with_name(name))

    model = deploy.add_gguf(file, db=db, active=True)

    assert (model.name, model.prompt_tokens) == ("support-7b", 512)
    assert model_named("support-7b", db=db).model_card == card
    assert active_models(db) == ["support-7b"]


def test_a_files_own_card_comes_before_the_folders(db: Database, file: Path) -> None:
    put_card(card_for(file, name="folder"), file.with_name("model_card.json"))
    put_card(card_for(file, name="own"), file.with_name(f"{file.stem}.model_card.json"))

    assert deploy.add_gguf(file, db=db).name == "own"


def test_a_name_that_is_given_comes_before_the_cards(db: Database, file: Path) -> None:
    put_card(card_for(file), file.with_name("model_card.json"))

    assert deploy.add_gguf(file, db=db, name="mine").name == "mine"


def test_hashes_may_be_written_in_capitals(db: Database, file: Path) -> None:
    card = card_for(file)
    put_card(card_for(file, sha256=card.sha256.upper()), file.with_name("model_card.json"))

    assert deploy.add_gguf(file, db=db, sha256=card.sha256.upper()).sha256 == card.sha256


def _gone(file: Path) -> None:
    file.unlink()


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _pickle(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04" + struct.pack("<I", 7))


def _other_hash(file: Path) -> None:
    put_card(card_for(file, sha256="ab" * 32), file.with_name("model_card.json"))


def _other_format(file: Path) -> None:
    put_card(card_for(file, prompt_format="suggest-answer/0"), file.with_name("model_card.json"))


def _odd_name(file: Path) -> None:
    put_card(card_for(file, name="a/b"), file.with_name("model_card.json"))


def _no_card(file: Path) -> None:
    file.with_name("model_card.json").write_bytes(b'{"name": "\xff"}')


@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (_gone, NotAGguf, "is no file"),
        (_folder, NotAGguf, "is no file"),
        (_empty, NotAGguf, "no GGUF file"),
        (_pickle, NotAGguf, "trainer export"),
        (_other_hash, HashMismatch, "its card names"),
        (_other_format, WrongPromptFormat, "Train it again"),
        (_odd_name, BadInput, "no model name"),
        (_no_card, UnusableModel, "cannot be read"),
    ],
)
def test_what_cannot_serve_is_refused_and_not_registered(
    db: Database, file: Path, spoil: Callable[[Path], None], kind: type[ProductError], says: str
) -> None:
    spoil(file)

    with pytest.raises(kind, match=says):
        deploy.add_gguf(file, db=db)

    assert models(db) == []


def test_another_file_than_the_approved_one_is_refused(db: Database, file: Path) -> None:
    with pytest.raises(HashMismatch, match="that you gave"):
        deploy.add_gguf(file, db=db, sha256="cd" * 32)


def test_a_name_is_taken_for_good(db: Database, file: Path) -> None:
    deploy.add_gguf(file, db=db, name="m")
    with pytest.raises(NameTaken, match=r"is registered\. Choose another name, such as m-2"):
        deploy.add_nearest(db=db, name="m")

    deploy.remove("m", db=db)

    with pytest.raises(NameTaken, match="was removed, but its ratings stay"):
        deploy.add_gguf(file, db=db, name="m")


@pytest.mark.parametrize("name", ["", ".", "-m", "a b", "a/b", "a,b", "модель", "m" * 65, "m\n"])
def test_a_name_must_fit_into_addresses_and_reports(db: Database, name: str) -> None:
    with pytest.raises(BadInput, match="no model name"):
        deploy.add_nearest(db=db, name=name)


def test_unknown_models_can_be_neither_activated_nor_promoted_nor_removed(db: Database) -> None:
    for verb in (deploy.activate, deploy.deactivate, deploy.promote, deploy.remove):
        with pytest.raises(UnknownModel, match="Registered: none yet"):
            verb("m", db=db)


def test_what_a_removed_model_had_not_finished_fails_with_the_reason(db: Database) -> None:
    add_models(["m", "other"], db=db)
    asked = [
        suggest(Ask(Ticket(text=text), models=("m", "other")), settings=SuggestSettings(), db=db)
        for text in ("one", "two")
    ]
    work = queue.claim(["m"], lease_seconds=30, db=db)
    assert work

    deploy.remove("m", db=db)

    for one in asked:
        found = {each.model: each for each in suggestion(one.id, db=db).candidates}
        assert (found["m"].state, found["m"].problem) == ("failed", "UnknownModel")
        assert found["other"].state == "queued"
    assert not queue.try_again(work, "EngineUnreachable", "Gone.", after_seconds=0, db=db)


def test_a_models_state_is_its_runners(db: Database, file: Path) -> None:
    deploy.add_gguf(file, db=db, name="m", active=True)
    add_models(["far"], db=db)
    deploy.add_nearest(db=db)

    assert [one.state for one in model_states(db)] == ["stopped", "remote", "ready"]
    assert not ready(db)
    keep_runner(Runner("m", "failed", problem="No memory."), db=db)
    assert [one.problem for one in model_states(db)] == ["No memory.", "", ""]
    assert ready(db), "nearest can answer"
    keep_runner(Runner("m", "starting"), db=db)
    assert not ready(db)
    keep_runner(Runner("m", "ready", base_url="http://127.0.0.1:1/v1", key="k", pid=7), db=db)
    assert ready(db)
