"""The passages that an example gets: found as in serving, drawn for training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backend.domain.example import Example
from backend.domain.passage import Article, SolvedTicket
from backend.knowledge.ranking import Search
from backend.knowledge.store import open_knowledge, put_articles, put_solved_tickets
from trainer.data.compose import Drawing, with_passages

LINK = "Click the link in the mail"
ALWAYS = Drawing(seed=1, passage_share=1.0, helpful_share=1.0, passages=3)
SEARCHED = Drawing(seed=1, passage_share=1.0, helpful_share=0.0, passages=3)


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    db = open_knowledge(tmp_path / "knowledge.db")
    others = [SolvedTicket(f"o{n}", f"Import {n} fails", f"Save {n} as CSV.") for n in range(20)]
    put_articles([Article("billing", "Billing invoices", "Open Billing, then Invoices.")], db=db)
    put_solved_tickets(
        [
            *others,
            SolvedTicket("1", "I cannot log in since Monday", f"{LINK}.", "Login"),
            SolvedTicket("2", "Where do I find my bill and the invoices", "Open Billing.", "Bill"),
            SolvedTicket("3", "My account is locked, where is my bill", f"{LINK}!", "Locked"),
        ],
        db=db,
    )
    with closing(db), closing(Search(db)) as found:
        yield found


def keys(example: Example) -> list[str]:
    return [passage.key for passage in example.passages]


def test_the_nearest_passages_come_and_never_the_ticket_itself(search: Search) -> None:
    asked = "Bill\n\nWhere do I find my bill and the invoices"

    other = with_passages(Example(asked, "Open it.", "sent:8"), search, SEARCHED)
    itself = with_passages(Example(asked, "Open Billing.", "ticket:2"), search, SEARCHED)

    assert "solved:2" not in keys(itself)
    assert {"article:billing#1", "solved:3"} <= set(keys(itself))
    assert set(keys(other)) == set(keys(itself))  # the same words are the same ticket


def test_a_helpful_passage_says_what_the_answer_says(search: Search) -> None:
    helped = Example("Where is the bill of my account", f"Hi! {LINK}.", "ticket:9")
    other = Example("Where is the bill of my account", "Something else entirely.", "ticket:9")

    assert "solved:3" in keys(with_passages(helped, search, ALWAYS))[:2]
    assert keys(with_passages(other, search, ALWAYS)) == keys(
        with_passages(other, search, SEARCHED)
    )


def test_a_section_does_not_quote_its_own_article(search: Search) -> None:
    section = Example("Billing invoices", "Open Billing, then Invoices.", "article:billing#0")

    assert "article:billing#1" not in keys(with_passages(section, search, SEARCHED))


def test_an_example_that_is_not_drawn_stays_as_it_is(search: Search) -> None:
    example = Example("Where is my bill", "Open Billing.", "ticket:9")

    for drawing in (Drawing(1, 0.0, 1.0, 3), Drawing(1, 1.0, 1.0, 0)):
        assert with_passages(example, search, drawing) == example
