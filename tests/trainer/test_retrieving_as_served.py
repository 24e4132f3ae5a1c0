"""Serving equals training: both find the same passages in what they made of the same files."""

from __future__ import annotations

import json
from pathlib import Path

from sqlite_utils import Database

from backend.domain.example import Example
from backend.domain.passage import Passage
from backend.domain.ticket import Ticket
from backend.intake.jsonl import read_rows, text_in
from backend.knowledge.ranking import passages_for
from backend.knowledge.store import solved_tickets
from backend.privacy.placeholders import Placeholders
from backend.services.import_knowledge import import_export, import_files
from tests.desk_lines import of_forum_thread
from tests.shared_sets import SHARED, on_shared_sets
from trainer.data.prepare import Choices, Sources, prepare, read_examples

CORPUS = Path(__file__).resolve().parents[2] / "demo" / "corpus"
KEEP_ALL = Choices(
    golden_share=0,
    validation_share=0,
    passage_share=1,
    helpful_share=0,
    passages=2,
    near_duplicates="together",
    same_answers=10**6,
)


def prepared(sources: Sources, out: Path) -> dict[str, Example]:
    """The examples that were made of tickets, by the tickets' ids; none may have been dropped."""
    card = prepare(sources=sources, out=out, choices=KEEP_ALL)
    examples = read_examples(out / "examples.jsonl")
    assert not [reason for reason in card["dropped"] if "duplicate" in reason or "5 %" in reason]
    return {
        example.source.removeprefix("ticket:"): example
        for example in examples
        if example.source.startswith("ticket:")
    }


def served(question: str, id_: str, db: Database) -> tuple[Passage, ...]:
    """What the product puts into the prompt, by its own settings, when this ticket is opened."""
    return tuple(passages_for(question, db=db, articles=1, solved=1, exclude_source=id_))


def test_fifty_tickets_get_the_passages_that_serving_finds(db: Database, tmp_path: Path) -> None:
    articles, tickets = CORPUS / "articles.jsonl", CORPUS / "solved_tickets.jsonl"
    import_files(articles=articles, tickets=tickets, db=db, progress=lambda done: None)

    examples = prepared(Sources(articles=articles, tickets=tickets), tmp_path)

    rows = list(read_rows(tickets))[::5]
    for row in rows:
        ticket = Ticket(text=text_in(row, "question"), subject=text_in(row, "subject"))
        found = served(Placeholders().redact(ticket.question), row["id"], db)
        assert examples[row["id"]].passages == found, row["id"]
    assert len(rows) >= 50
    assert len(examples) == len(solved_tickets(db=db))
    kinds = [passage.kind for row in rows for passage in examples[row["id"]].passages]
    assert min(kinds.count("article"), kinds.count("solved")) >= 25


def test_articles_found_by_their_citations_are_found_in_training_too(
    db: Database, tmp_path: Path
) -> None:
    articles, tickets = tmp_path / "articles.jsonl", tmp_path / "tickets.jsonl"
    article = {"id": "old", "title": "Reinstall", "body": "Choose another driver.", "url": ""}
    asked = ["The screen flickers purple at noon.", "Purple screen: it flickers at noon!"]
    others = [f"About {number}: where do I pay invoice {number}?" for number in range(20)]
    rows = [
        {"id": str(number), "question": question, "answer": f"Like {number}."}
        for number, question in enumerate((*asked, *others))
    ]
    cited = [{**row, "cited_articles": ["old"]} for row in rows[:2]]
    articles.write_text(json.dumps(article) + "\n")
    tickets.write_text("".join(json.dumps(row) + "\n" for row in (*cited, *rows[2:])))
    import_files(articles=articles, tickets=tickets, db=db, progress=lambda done: None)

    examples = prepared(Sources(articles=articles, tickets=tickets), tmp_path / "out")

    passages = examples["0"].passages
    assert "article:old#1" in [passage.key for passage in passages]
    assert passages == served(asked[0], "0", db)


@on_shared_sets
def test_an_export_gives_both_the_same_passages(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "raw" / "desk" / "tickets.jsonl"
    path.parent.mkdir(parents=True)
    threads = list(read_rows(SHARED / "helpdesk" / "raw_threads_sample.jsonl"))[:120]
    lines = [json.dumps(of_forum_thread(dict(thread))) + "\n" for thread in threads]
    path.write_text("".join(lines), encoding="utf-8")
    import_export(tmp_path / "raw", db=db, progress=lambda done, of: None, processes=1)

    examples = prepared(Sources(zoho=tmp_path / "raw"), tmp_path / "out")

    tickets = solved_tickets(db=db)
    assert len(tickets) == len(examples) >= 50
    for ticket in tickets:
        assert examples[ticket.id].passages == served(ticket.asked, ticket.id, db), ticket.id
