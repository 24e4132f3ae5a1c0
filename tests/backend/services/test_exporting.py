"""Files for the trainer."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.passage import Article, SolvedTicket
from backend.domain.rating import Rating
from backend.domain.rubric import QUALITY
from backend.domain.suggestion import Outcome
from backend.domain.ticket import Ticket
from backend.knowledge.store import put_articles, put_solved_tickets
from backend.services.export import export_examples, export_ratings
from backend.store.database import open_database
from backend.store.outcomes import add_outcome
from backend.store.ratings import add_rating
from tests.backend.candidates import QUESTION, add_candidates, add_models

SOLVED = [
    SolvedTicket(id="2", question="How to pay?", answer="By card.", created="2026-02-01"),
    SolvedTicket(
        id="1", subject="Login", question="Locked out", answer="Reset it.", created="2026-01-01"
    ),
]
FIVES = {"content": 5, "grammar": 5, "structure": 5, "style": 5}


@pytest.fixture
def candidates(db: Database) -> dict[str, str]:
    add_models(["one", "two", "three"], db=db)
    return add_candidates(["one", "two", "three"], db=db)


def quality(rater: str = "olena", **rest: Any) -> Rating:
    return Rating(rater=rater, rubric=QUALITY, **{"scores": FIVES, **rest})


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def examples(path: Path) -> list[Example]:
    return [Example.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_ratings_come_with_what_they_are_about(
    db: Database, candidates: dict[str, str], tmp_path: Path
) -> None:
    rating = quality(scores={"content": 2}, critical=True, comment="Чому?", ideal_answer="Так.")
    add_rating(candidates["one"], rating, db=db)

    number = export_ratings(tmp_path / "ratings.jsonl", db=db)

    (row,) = rows(tmp_path / "ratings.jsonl")
    assert number == 1
    assert row["question"] == "Cannot log in\n\nMy password is refused."
    assert row["text"].startswith("Reply ")
    assert (row["model"], row["rubric"], row["rubric_version"]) == ("one", "quality", 1)
    assert (row["scores"], row["overall"], row["critical"]) == ({"content": 2}, 2.0, True)
    assert (row["comment"], row["ideal_answer"]) == ("Чому?", "Так.")


def test_superseded_ratings_are_left_out(
    db: Database, candidates: dict[str, str], tmp_path: Path
) -> None:
    add_rating(candidates["one"], quality(scores={"content": 1}), db=db)
    last = add_rating(candidates["one"], quality(), db=db)

    export_ratings(tmp_path / "ratings.jsonl", db=db)

    assert [row["id"] for row in rows(tmp_path / "ratings.jsonl")] == [last]


def test_raters_have_pseudonyms_that_last_in_this_database_only(
    db: Database, candidates: dict[str, str], tmp_path: Path
) -> None:
    other = open_database(tmp_path / "other.db")
    add_models(["one"], db=other)
    elsewhere = add_candidates(["one"], db=other)["one"]
    add_rating(elsewhere, quality("olena@example.com"), db=other)
    for rater, model in (("olena@example.com", "one"), ("taras", "one"), ("taras", "two")):
        add_rating(candidates[model], quality(rater), db=db)
    for path, source in (("a", db), ("b", db), ("c", other)):
        export_ratings(tmp_path / path, db=source)
    other.conn.close()

    first, second, third = (row["rater"] for row in rows(tmp_path / "a"))
    assert first != second == third
    assert "olena" not in (tmp_path / "a").read_text()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert rows(tmp_path / "c")[0]["rater"] != first


def test_solved_tickets_become_examples_oldest_first(db: Database, tmp_path: Path) -> None:
    put_solved_tickets(SOLVED, db=db)

    assert export_examples(tmp_path / "examples.jsonl", db=db) == 2

    first, second = examples(tmp_path / "examples.jsonl")
    assert (first.source, first.question, first.answer) == (
        "ticket:1",
        "Login\n\nLocked out",
        "Reset it.",
    )
    assert (second.source, second.created, second.split) == ("ticket:2", "2026-02-01", "train")
    assert second.passages == ()


def test_what_people_sent_wrote_and_praised_becomes_examples(
    db: Database, candidates: dict[str, str], tmp_path: Path
) -> None:
    sent = add_outcome(candidates["one"], Outcome("sent", "Sent text"), db=db)
    add_outcome(candidates["two"], Outcome("discarded", "Discarded"), db=db)
    ideal = add_rating(
        candidates["two"], quality(scores={"content": 1}, ideal_answer="Ideal text"), db=db
    )
    add_rating(candidates["three"], quality(), db=db)

    export_examples(tmp_path / "examples.jsonl", db=db)

    found = examples(tmp_path / "examples.jsonl")
    assert [(one.source, one.answer) for one in found[:2]] == [
        (f"sent:{sent}", "Sent text"),
        (f"ideal:{ideal}", "Ideal text"),
    ]
    assert [one.source for one in found[2:]] == [f"rated:{candidates['three']}"]
    assert {one.question for one in found} == {QUESTION.question}


def test_a_candidate_sent_as_it_stood_is_an_example_once(
    db: Database, candidates: dict[str, str], tmp_path: Path
) -> None:
    add_rating(candidates["one"], quality(), db=db)
    sent = add_outcome(candidates["one"], Outcome("sent"), db=db)

    export_examples(tmp_path / "examples.jsonl", db=db)

    (found,) = examples(tmp_path / "examples.jsonl")
    assert found.source == f"sent:{sent}"
    assert found.answer.startswith("Reply ")


@pytest.mark.parametrize(
    "others",
    [
        [quality("taras", scores={**FIVES, "content": 2})],
        [quality("taras", critical=True)],
        [quality("taras", scores={}, comment="No idea")],
    ],
)
def test_one_rater_who_disagrees_keeps_a_candidate_from_being_learnt(
    db: Database, candidates: dict[str, str], tmp_path: Path, others: list[Rating]
) -> None:
    for rating in (quality(), *others):
        add_rating(candidates["one"], rating, db=db)

    assert export_examples(tmp_path / "examples.jsonl", db=db) == 0


def test_passages_are_those_found_without_the_ticket_itself(db: Database, tmp_path: Path) -> None:
    put_articles([Article(id="login", title="Login", body="When locked out, wait.")], db=db)
    put_solved_tickets(SOLVED, db=db)

    export_examples(tmp_path / "examples.jsonl", db=db, articles=1, solved=1, threshold=0)

    login, pay = examples(tmp_path / "examples.jsonl")
    assert [passage.key for passage in login.passages] == ["article:login#1"]
    assert pay.passages == ()


def test_the_same_database_gives_the_same_file(
    db: Database, candidates: dict[str, str], tmp_path: Path
) -> None:
    put_solved_tickets(SOLVED, db=db)
    for model in candidates:
        add_rating(candidates[model], quality(), db=db)
    add_candidates(["one"], db=db, ticket=Ticket(text="Not rated"))

    for name in ("a", "b"):
        export_examples(tmp_path / name, db=db)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_is_replaced_whole_and_is_the_owner_s_only(db: Database, tmp_path: Path) -> None:
    put_solved_tickets(SOLVED, db=db)
    path = tmp_path / "out" / "examples.jsonl"
    path.parent.mkdir()
    path.write_text("old")

    export_examples(path, db=db)

    assert len(examples(path)) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_no_rest(
    db: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "taken"
    (folder / "inside").mkdir(parents=True)

    with pytest.raises(BadInput, match="cannot be written"):
        export_examples(folder, db=db)
    with pytest.raises(BadInput, match="cannot be written"):
        export_ratings(tmp_path / "nowhere" / "ratings.jsonl", db=db)

    assert not list(tmp_path.glob(".*"))
