"""The whole way: a local Zoho is exported, imported, searched, and prepared for training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlite_utils import Database

from backend.cli import cli
from backend.intake.deduplication import ALIKE, likeness, signatures_of
from backend.knowledge.ranking import passages_for
from backend.knowledge.store import solved_tickets
from backend.privacy import generic
from backend.store.database import open_database
from tests.zoho.commands import connect, raw, run
from tests.zoho.local import LocalZoho, local_zoho
from trainer.data.prepare import Choices, Sources, prepare, read_examples


@pytest.fixture(scope="module")
def zoho() -> Iterator[LocalZoho]:
    with local_zoho(tickets=120, cases=30) as found:
        yield found


@pytest.fixture(scope="module")
def exported(zoho: LocalZoho, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state_dir = tmp_path_factory.mktemp("state") / "own"
    assert connect(zoho, state_dir).returncode == 0
    done = run(state_dir, "export", "--desk", "--crm")
    assert done.returncode == 0, done.stderr
    return state_dir


def imported(state_dir: Path) -> str:
    done = CliRunner().invoke(
        cli, ["--state-dir", str(state_dir), "import", "--zoho", str(raw(state_dir))]
    )
    assert done.exit_code == 0, done.output
    return done.output


def database(state_dir: Path) -> Database:
    return open_database(state_dir / "suggest-answer.db")


def test_what_was_answered_in_zoho_is_found_for_a_new_ticket(
    zoho: LocalZoho, exported: Path
) -> None:
    said = imported(exported)

    db = database(exported)
    tickets = solved_tickets(db=db)
    assert len(tickets) >= 40
    assert "Dropped: " in said
    hits = 0
    for ticket in tickets[:20]:
        found = passages_for(ticket.asked, db=db, articles=0, solved=5)
        hits += generic(ticket.answer) in [passage.text for passage in found]
    assert hits >= 16
    everything = "\n".join(db.conn.iterdump())
    assert "customer.example" not in everything
    assert "acme.example" not in everything


def test_what_zoho_deleted_is_not_found_any_more(zoho: LocalZoho, exported: Path) -> None:
    imported(exported)
    db = database(exported)
    first = next(one.id for one in solved_tickets(db=db) if one.id.startswith("3652"))
    zoho.delete("Cases", first)
    assert run(exported, "export", "--crm").returncode == 0

    said = imported(exported)

    assert "Removed: 1." in said
    assert first not in [one.id for one in solved_tickets(db=db)]
    assert db.execute("SELECT count(*) FROM passages WHERE source_id = ?", [first]).fetchone() == (
        0,
    )


def test_an_export_becomes_examples(exported: Path, tmp_path: Path) -> None:
    card = prepare(
        sources=Sources(zoho=raw(exported)), out=tmp_path, choices=Choices(golden_share=0.1)
    )

    examples = read_examples(tmp_path / "examples.jsonl")
    assert card["examples"] == len(examples) >= 300
    assert card["rows_read"] == card["kinds"]["ticket"] + sum(
        count for reason, count in card["dropped"].items() if "article" not in reason
    )
    text = (tmp_path / "examples.jsonl").read_text(encoding="utf-8")
    assert "customer.example" not in text
    held = [one for one in examples if one.split != "train"]
    trained = [one for one in examples if one.split == "train"]
    theirs = signatures_of([one.question for one in held])
    ours = signatures_of([one.question for one in trained])
    assert all(likeness(one, other) < ALIKE for one in theirs for other in ours)
    assert json.loads((tmp_path / "data_card.json").read_text(encoding="utf-8")) == card
