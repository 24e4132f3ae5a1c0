"""Search finds what answers a question, and any text is a question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from backend.domain.passage import Article, SolvedTicket
from backend.knowledge.ranking import (
    Search,
    find_passages,
    nearest_answer,
    passage_lengths,
    passages_for,
)
from backend.knowledge.store import put_articles, put_solved_tickets
from backend.store.database import open_database
from tests.backend.knowledge.knowledge_samples import ARTICLES, TICKETS


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    db = open_database(Path(tmp_path_factory.mktemp("search")) / "search.db")
    put_articles(ARTICLES, db=db)
    put_solved_tickets(TICKETS, db=db)
    yield db
    db.conn.close()


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("how do I reset my passwords?", "article:password#1"),
        ("SPF records for domains", "article:spf#1"),
        ("buying credit packages", "article:credits#1"),
        ("Забула паролі, як увійти на сторінку?", "article:password-uk#1"),
        ("скидання пароля", "article:password-uk#1"),
    ],
)
def test_the_article_that_answers_is_found_first(filled: Database, question: str, key: str) -> None:
    assert find_passages(question, db=filled, kind="article", limit=3)[0].key == key


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("my password is wrong on the login page", "solved:1"),
        ("softfail reported by receivers", "solved:2"),
        ("листа з паролями немає", "solved:4"),
        ("beta theme", "solved:3"),  # a word of the answer alone
    ],
)
def test_the_most_similar_solved_ticket_is_found_first(
    filled: Database, question: str, key: str
) -> None:
    assert find_passages(question, db=filled, kind="solved", limit=3)[0].key == key


def test_an_article_cited_for_similar_tickets_is_found_without_a_word_in_common(
    filled: Database,
) -> None:
    found = find_passages("purple screen that flickers", db=filled, kind="article", limit=3)

    assert [passage.key for passage in found] == ["article:old#1"]
    assert found[0].score > 0.1


def test_an_article_linked_in_the_answer_counts_as_cited(db: Database) -> None:
    linked = "Please read https://help.example/en/credits#prices."
    put_articles(ARTICLES, db=db)
    put_solved_tickets([SolvedTicket(id="9", question="Overdrawn!", answer=linked)], db=db)

    assert find_passages("overdrawn", db=db, kind="article", limit=1)[0].key == "article:credits#1"


def test_a_ticket_does_not_find_itself_nor_its_twin(db: Database) -> None:
    twin = SolvedTicket(
        id="99", subject="cannot  sign in", question=TICKETS[0].question, answer="Twin."
    )
    put_solved_tickets([*TICKETS, twin], db=db)
    asked = TICKETS[0].asked

    everything = find_passages(asked, db=db, kind="solved", limit=9)
    without = find_passages(asked, db=db, kind="solved", limit=9, exclude_source="1")

    assert {"solved:1", "solved:99"} <= {passage.key for passage in everything}
    assert not {"solved:1", "solved:99"} & {passage.key for passage in without}
    assert nearest_answer(asked, db=db, threshold_solved=0.5, exclude_source="1") is None


def test_a_ticket_does_not_find_itself_when_its_text_has_grown(filled: Database) -> None:
    asked = TICKETS[0].asked + "\n\nAny news? My password is still wrong."

    found = find_passages(asked, db=filled, kind="solved", limit=9, exclude_source="1")

    assert "solved:1" not in {passage.key for passage in found}


def test_one_article_gives_its_best_passage_only(db: Database) -> None:
    sections = [f"## Part {number}\n\nDKIM keys. {'text ' * 150}" for number in range(4)]
    put_articles([Article(id="dkim", title="DKIM", body="\n\n".join(sections))], db=db)

    assert len(find_passages("dkim keys", db=db, kind="article", limit=9)) == 1


def test_equal_answers_are_given_once(db: Database) -> None:
    same = [
        SolvedTicket(id=str(number), question=f"bounce number {number}", answer="Clean the list.")
        for number in range(3)
    ]
    put_solved_tickets(same, db=db)

    assert len(find_passages("bounce", db=db, kind="solved", limit=9)) == 1


def test_both_pools_come_together_best_first_above_the_threshold(filled: Database) -> None:
    found = passages_for("password wrong, login", db=filled, articles=1, solved=1, threshold=0)
    none = passages_for("password wrong, login", db=filled, articles=1, solved=1, threshold=0.99)

    assert {passage.kind for passage in found} == {"article", "solved"}
    assert found == sorted(found, key=lambda passage: -passage.score)
    assert all(0 < passage.score < 1 for passage in found)
    assert none == []


def test_the_nearest_answer_is_a_solved_ticket_s_else_an_article_s_else_none(
    filled: Database,
) -> None:
    def nearest(solved: float, article: float) -> str | None:
        found = nearest_answer(
            "reset password", db=filled, threshold_solved=solved, threshold_article=article
        )
        return found.key if found else None

    assert nearest(0, 0) == "solved:1"
    assert nearest(1, 0) == "article:password#1"
    assert nearest(1, 1) is None


def test_scores_of_another_subject_are_low(filled: Database) -> None:
    question = "Which shoes fit a marathon in the rain, and what do they cost?"

    assert nearest_answer(question, db=filled) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text_is_a_question(filled: Database, question: str) -> None:
    for passage in passages_for(question, db=filled, articles=3, solved=3, threshold=0):
        assert 0 <= passage.score <= 1


@pytest.mark.parametrize(
    "question",
    [
        "",
        "   \n",
        "!!! ???",
        '"',
        "password OR",
        "NEAR(password, 2)",
        "title:password AND (",
        "kind:solved",
        "pass* -word ^login {a b}: +",
        "C# error: /etc/passwd",
        "\x00password\x00",
        "\ud800 password",
        "'; DROP TABLE passages; --",
        "password " * 50_000,
        " ".join(f"word{number}" for number in range(3_000)),
        "🙂 👍🏽 ﷽ \u202e",
    ],
)
def test_what_looks_like_a_query_is_only_words(filled: Database, question: str) -> None:
    found = find_passages(question, db=filled, kind="article", limit=9)

    assert {passage.kind for passage in found} <= {"article"}
    assert filled.table("passages").count == len(ARTICLES) + len(TICKETS)


def test_lengths_worked_out_before_change_nothing_but_the_time(filled: Database) -> None:
    lengths = passage_lengths(filled)
    with closing(Search(filled)) as plain, closing(Search(filled, lengths=lengths)) as quick:
        found = [quick.find(ticket.asked) for ticket in TICKETS]
        assert found == [plain.find(ticket.asked) for ticket in TICKETS]

    assert any(hits.solved for hits in found)


def test_numbers_of_placeholders_do_not_matter(filled: Database) -> None:
    question = "[NAME_{}] cannot sign in, password wrong"

    first, second = (
        find_passages(question.format(number), db=filled, kind="solved", limit=3)
        for number in (1, 2)
    )

    assert first == second


def test_an_empty_store_finds_nothing(db: Database) -> None:
    assert passages_for("password", db=db, articles=3, solved=3, threshold=0) == []
    assert nearest_answer("password", db=db) is None
