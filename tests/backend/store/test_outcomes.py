"""What agents did with candidates, as rows."""

from __future__ import annotations

import pytest
from sqlite_utils import Database

from backend.domain.errors import BadInput, CandidateUnfinished, TooLarge
from backend.domain.rating import MAX_RATER_CHARACTERS
from backend.domain.suggestion import Outcome
from backend.domain.ticket import MAX_TICKET_BYTES
from backend.store.outcomes import add_outcome, open_uses
from tests.backend.candidates import add_candidates, add_models, suggestion_of


@pytest.fixture
def candidates(db: Database) -> dict[str, str]:
    add_models(["one", "two"], db=db)
    return add_candidates(["one", "two"], db=db)


def used(db: Database, ticket: str = "desk-7", agent: str = "ada", since: str = "") -> list[str]:
    return [row["candidate_id"] for row in open_uses(ticket, agent, since=since, db=db)]


def test_an_outcome_is_kept_with_its_text_and_whose_it_is(
    db: Database, candidates: dict[str, str]
) -> None:
    told = add_outcome(candidates["one"], Outcome("sent", final_text="Hello", agent="ada"), db=db)
    plain = add_outcome(candidates["two"], Outcome("discarded"), db=db)

    row = db.table("outcomes").get(told)
    assert (row["candidate_id"], row["kind"]) == (candidates["one"], "sent")
    assert (row["final_text"], row["agent"]) == ("Hello", "ada")
    row = db.table("outcomes").get(plain)
    assert (row["final_text"], row["agent"]) == ("", "")


def test_what_is_as_large_as_allowed_is_kept(db: Database, candidates: dict[str, str]) -> None:
    text, agent = "x" * MAX_TICKET_BYTES, "a" * MAX_RATER_CHARACTERS

    assert add_outcome(candidates["one"], Outcome("sent", final_text=text, agent=agent), db=db)


def test_what_is_no_outcome_is_refused(db: Database, candidates: dict[str, str]) -> None:
    one = candidates["one"]
    with pytest.raises(BadInput, match=r"no outcome 'liked'; there is .*inserted, "):
        add_outcome(one, Outcome("liked"), db=db)  # type: ignore[arg-type]
    with pytest.raises(TooLarge, match="Send the reply alone"):
        add_outcome(one, Outcome("sent", final_text="ü" * (MAX_TICKET_BYTES // 2 + 1)), db=db)
    with pytest.raises(BadInput, match=f"{MAX_RATER_CHARACTERS} characters at most"):
        add_outcome(one, Outcome("sent", agent="a" * (MAX_RATER_CHARACTERS + 1)), db=db)
    unfinished = add_candidates(["one"], db=db, state="writing")["one"]
    with pytest.raises(CandidateUnfinished):
        add_outcome(unfinished, Outcome("sent"), db=db)

    assert db.table("outcomes").count == 0


def test_what_an_agent_used_is_open_until_it_is_sent(
    db: Database, candidates: dict[str, str]
) -> None:
    one, two = candidates["one"], candidates["two"]
    add_outcome(one, Outcome("copied", agent="ada"), db=db)
    add_outcome(one, Outcome("inserted", agent="ada"), db=db)
    add_outcome(two, Outcome("discarded", agent="ada"), db=db)

    (found,) = open_uses("desk-7", "ada", since="", db=db)
    assert found["candidate_id"] == one
    assert found["suggestion_id"] == suggestion_of(one, db=db)
    assert used(db, agent="grace") == used(db, ticket="desk-8") == used(db, since="9999") == []

    add_outcome(two, Outcome("sent", agent="ada"), db=db)  # of the same suggestion

    assert used(db) == []
