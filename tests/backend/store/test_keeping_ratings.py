"""Ratings and outcomes in the store: kept as given, superseded, never changed."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlite_utils import Database

from backend.domain.errors import (
    BadInput,
    CandidateUnfinished,
    TooLarge,
    UnknownCandidate,
    UnknownSuggestion,
)
from backend.domain.rating import Rating
from backend.domain.rubric import QUALITY, RELEVANCE
from backend.domain.suggestion import OUTCOMES, Outcome, OutcomeKind
from backend.store.outcomes import add_outcome
from backend.store.ratings import add_rating, rated_candidates, revealed
from tests.backend.candidates import add_candidates, add_models, suggestion_of

FOURS = {"content": 4, "grammar": 4, "structure": 4, "style": 4}


@pytest.fixture
def candidates(db: Database) -> dict[str, str]:
    add_models(["one", "two"], db=db)
    return add_candidates(["one", "two"], db=db)


def quality(rater: str = "olena", **rest: Any) -> Rating:
    return Rating(rater=rater, rubric=QUALITY, **{"scores": FOURS, **rest})


def test_a_rating_is_kept_with_scores_and_words(db: Database, candidates: dict[str, str]) -> None:
    rating = quality(critical=True, comment="Wrong price", ideal_answer="It is 5.", scores=FOURS)

    rating_id = add_rating(candidates["one"], rating, db=db)

    row = dict(db.table("ratings").get(rating_id))
    assert row["candidate_id"] == candidates["one"]
    assert (row["critical"], row["comment"], row["ideal_answer"]) == (1, "Wrong price", "It is 5.")
    assert {one["criterion"]: one["score"] for one in db.table("scores").rows} == FOURS


def test_a_second_thought_supersedes_the_first(db: Database, candidates: dict[str, str]) -> None:
    first = add_rating(candidates["one"], quality(), db=db)
    second = add_rating(candidates["one"], quality(scores={"content": 1}), db=db)
    third = add_rating(candidates["one"], quality(scores={"content": 2}), db=db)

    rows = {row["id"]: row["supersedes"] for row in db.table("ratings").rows}
    assert rows == {first: None, second: first, third: second}
    assert [row["id"] for row in db.query("SELECT id FROM current_ratings")] == [third]


def test_other_raters_rubrics_and_candidates_are_not_superseded(
    db: Database, candidates: dict[str, str]
) -> None:
    relevance = Rating(rater="olena", rubric=RELEVANCE, scores={"relevance": 5})
    add_rating(candidates["one"], quality(), db=db)
    add_rating(candidates["one"], quality("taras"), db=db)
    add_rating(candidates["one"], relevance, db=db)
    add_rating(candidates["two"], quality(), db=db)

    assert db.execute("SELECT count(*) FROM current_ratings").fetchone() == (4,)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ratings SET comment = 'changed'",
        "DELETE FROM ratings",
        "UPDATE scores SET score = 5",
        "DELETE FROM scores",
    ],
)
def test_ratings_cannot_be_changed_or_deleted(
    db: Database, candidates: dict[str, str], change: str
) -> None:
    add_rating(candidates["one"], quality(scores={"content": 1}), db=db)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(change)

    assert [row["score"] for row in db.table("scores").rows] == [1]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("queued", "waiting"),
        ("writing", "still being written"),
        ("failed", "no text to judge"),
        ("cancelled", "cancelled before its end"),
    ],
)
def test_what_is_not_done_cannot_be_rated_or_used(
    db: Database, candidates: dict[str, str], state: str, sentence: str
) -> None:
    db.execute("UPDATE candidates SET state = ?", [state])

    with pytest.raises(CandidateUnfinished, match=sentence):
        add_rating(candidates["one"], quality(), db=db)
    with pytest.raises(CandidateUnfinished, match=sentence):
        add_outcome(candidates["one"], Outcome("sent"), db=db)

    assert db.table("ratings").count == db.table("outcomes").count == 0


def test_an_unknown_candidate_cannot_be_rated_or_used(db: Database) -> None:
    with pytest.raises(UnknownCandidate):
        add_rating("nobody", quality(), db=db)
    with pytest.raises(UnknownCandidate):
        add_outcome("nobody", Outcome("sent"), db=db)


def test_a_rating_that_cannot_be_saved_leaves_nothing_behind(
    db: Database, candidates: dict[str, str]
) -> None:
    db.execute("CREATE TRIGGER broken BEFORE INSERT ON scores BEGIN SELECT RAISE(ABORT, 'no'); END")

    with pytest.raises(sqlite3.IntegrityError):
        add_rating(candidates["one"], quality(), db=db)

    assert db.table("ratings").count == db.table("rubrics").count == 0


def test_models_are_revealed_once_all_candidates_are_rated_in_full(
    db: Database, candidates: dict[str, str]
) -> None:
    here = suggestion_of(candidates["one"], db=db)
    seen = [revealed(here, "olena", db=db)]
    add_rating(candidates["one"], quality(), db=db)
    seen.append(revealed(here, "olena", db=db))
    add_rating(candidates["two"], quality(scores={"content": 4}), db=db)
    seen.append(revealed(here, "olena", db=db))
    add_rating(candidates["two"], quality(), db=db)
    seen.append(revealed(here, "olena", db=db))

    assert seen == [False, False, False, True]
    assert not revealed(here, "taras", db=db)
    assert rated_candidates(here, "olena", db=db) == set(candidates.values())
    assert rated_candidates(here, "taras", db=db) == set()


def test_failed_candidates_do_not_stand_in_the_way_of_revealing(
    db: Database, candidates: dict[str, str]
) -> None:
    db.execute("UPDATE candidates SET state = 'failed' WHERE id = ?", [candidates["two"]])
    add_rating(candidates["one"], quality(), db=db)

    assert revealed(suggestion_of(candidates["one"], db=db), "olena", db=db)


def test_nothing_is_revealed_while_one_is_written_or_none_is_done(
    db: Database, candidates: dict[str, str]
) -> None:
    here = suggestion_of(candidates["one"], db=db)
    add_rating(candidates["one"], quality(), db=db)
    db.execute("UPDATE candidates SET state = 'writing' WHERE id = ?", [candidates["two"]])
    while_writing = revealed(here, "olena", db=db)
    db.execute("UPDATE candidates SET state = 'failed'")

    assert not while_writing
    assert not revealed(here, "olena", db=db)


def test_an_unknown_suggestion_reveals_an_error(db: Database) -> None:
    with pytest.raises(UnknownSuggestion):
        revealed("nothing", "olena", db=db)


@pytest.mark.parametrize("kind", OUTCOMES)
def test_an_outcome_is_kept(db: Database, candidates: dict[str, str], kind: OutcomeKind) -> None:
    outcome_id = add_outcome(candidates["one"], Outcome(kind, "Hi", "taras"), db=db)

    row = dict(db.table("outcomes").get(outcome_id))
    assert (row["kind"], row["final_text"], row["agent"]) == (kind, "Hi", "taras")


@pytest.mark.parametrize(
    ("kind", "final_text", "agent", "error"),
    [
        ("burnt", "", "", BadInput),
        ("sent", "ї" * 128_001, "", TooLarge),
        ("sent", "", "a" * 201, BadInput),
    ],
)
def test_a_wrong_outcome_is_refused(
    kind: Any, final_text: str, agent: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Outcome(kind, final_text, agent)
