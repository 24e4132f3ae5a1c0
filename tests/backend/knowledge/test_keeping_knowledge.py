"""Articles and solved tickets are kept, updated and cut into passages."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from backend.domain.passage import Article, SolvedTicket
from backend.knowledge.ranking import find_passages
from backend.knowledge.store import (
    Stored,
    open_knowledge,
    put_articles,
    put_solved_tickets,
    solved_ticket_count,
    solved_tickets,
)
from tests.backend.knowledge.knowledge_samples import ARTICLES, TICKETS


def test_putting_again_changes_nothing_and_a_change_is_found(db: Database) -> None:
    first = put_articles(ARTICLES, db=db)
    again = put_articles(ARTICLES, db=db)
    changed = put_articles(
        [Article(id="spf", title="Publish an SPF record", body="Call the registrar.")], db=db
    )

    assert (first.added, first.updated, first.unchanged) == (len(ARTICLES), 0, 0)
    assert (again.added, again.updated, again.unchanged) == (0, 0, len(ARTICLES))
    assert (changed.added, changed.updated, changed.unchanged) == (0, 1, 0)
    assert db.table("articles").count == db.table("passages").count == len(ARTICLES)
    assert find_passages("registrar", db=db, kind="article", limit=1)[0].key == "article:spf#1"
    assert find_passages("TXT include", db=db, kind="article", limit=1) == []


def test_an_article_that_grew_shorter_keeps_no_old_passages(db: Database) -> None:
    long = "\n\n".join(f"## Part {number}\n\n{'words ' * 140}" for number in range(5))
    put_articles([Article(id="a", title="A", body=long)], db=db)
    before = db.table("passages").count

    put_articles([Article(id="a", title="A", body="Short.")], db=db)

    assert (before, db.table("passages").count) == (5, 1)


def test_many_solved_tickets_are_saved_in_batches_that_are_told(db: Database) -> None:
    told: list[int] = []
    many = [
        SolvedTicket(id=str(number), question=f"question {number}", answer=f"answer {number}")
        for number in range(1_100)
    ]

    stored = put_solved_tickets(many, db=db, progress=told.append)

    assert stored.added == solved_ticket_count(db=db) == 1_100
    assert told == [500, 1_000, 1_100]
    assert find_passages("1099", db=db, kind="solved", limit=1)[0].key == "solved:1099"


def test_solved_tickets_come_back_as_they_were(db: Database) -> None:
    put_solved_tickets(TICKETS, db=db)

    assert solved_tickets(db=db) == TICKETS


def test_a_database_of_knowledge_alone_has_the_tables_of_the_product(
    db: Database, tmp_path: Path
) -> None:
    alone = open_knowledge(tmp_path / "knowledge.db")

    with closing(alone):
        tables = [name for name in alone.table_names() if not name.startswith("_sqlite")]
        assert {"articles", "solved_tickets", "passages", "terms", "raw_lines"} <= set(tables)
        for name in tables:
            assert schema(alone, name) == schema(db, name)
        put_solved_tickets(TICKETS, db=alone)
    again = open_knowledge(tmp_path / "knowledge.db")
    with closing(again):
        assert solved_tickets(db=again) == TICKETS


def schema(db: Database, table: str) -> list[str]:
    rows = db.execute("SELECT sql FROM sqlite_master WHERE tbl_name = ? ORDER BY name", [table])
    return [row[0] for row in rows]


def test_tickets_may_come_one_after_another_without_being_listed(db: Database) -> None:
    stored = put_solved_tickets((ticket for ticket in TICKETS), db=db)

    assert stored.added == len(TICKETS)
    assert put_solved_tickets(iter(()), db=db) == Stored()
