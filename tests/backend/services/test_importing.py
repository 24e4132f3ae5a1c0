"""Articles and solved tickets out of files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.knowledge.store import solved_ticket_count
from backend.services.import_knowledge import Imported, as_it_is, import_files
from tests.shared_sets import SHARED, on_shared_sets

DEMO = Path(__file__).resolve().parents[3] / "demo" / "corpus"
ARTICLE = {"id": "limits", "title": "Limits", "body": "Ten a day.", "url": "https://x/limits"}
TICKET = {"id": "lp-1", "subject": "Stopped", "question": "Why?", "answer": "Limit reached."}


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def brought_in(db: Database, articles: Path | None = None, tickets: Path | None = None) -> Imported:
    return import_files(articles=articles, tickets=tickets, db=db, progress=lambda done: None)


def test_both_kinds_are_imported_and_importing_again_adds_nothing(
    db: Database, tmp_path: Path
) -> None:
    articles = jsonl(tmp_path / "a.jsonl", {**ARTICLE, "products": ["x"], "chars": 7})
    tickets = jsonl(tmp_path / "t.jsonl", {**TICKET, "cited_articles": ["limits"], "agent": "a"})

    first = brought_in(db, articles, tickets)
    again = brought_in(db, articles, tickets)

    assert (first.articles.added, first.tickets.added) == (1, 1)
    assert (again.articles.unchanged, again.tickets.unchanged) == (1, 1)
    assert str(first) == (
        "Articles: 1 added, 0 updated, 0 unchanged.\n"
        "Solved tickets: 1 added, 0 updated, 0 unchanged."
    )
    row = dict(db.table("solved_tickets").get("lp-1"))
    assert json.loads(row["cited"]) == ["limits"]


def test_personal_data_in_tickets_is_replaced_unless_it_is_to_stay(
    db: Database, tmp_path: Path
) -> None:
    asked = {**TICKET, "question": "Write to anna.smith@customer.org, please."}
    tickets = jsonl(tmp_path / "t.jsonl", asked)

    brought_in(db, tickets=tickets)
    hidden = db.table("solved_tickets").get("lp-1")["question"]
    import_files(articles=None, tickets=tickets, db=db, progress=lambda done: None, hide=as_it_is)

    assert hidden == "Write to [EMAIL_1], please."
    assert db.table("solved_tickets").get("lp-1")["question"] == asked["question"]


def test_a_gzip_file_and_a_byte_order_mark_are_read(db: Database, tmp_path: Path) -> None:
    zipped = tmp_path / "t.jsonl.gz"
    zipped.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(TICKET).encode() + b"\n\n"))

    assert brought_in(db, tickets=zipped).tickets.added == 1


def test_what_is_of_no_use_is_skipped_and_counted(db: Database, tmp_path: Path) -> None:
    articles = jsonl(tmp_path / "a.jsonl", ARTICLE, {**ARTICLE, "id": "empty", "body": " "})
    tickets = jsonl(
        tmp_path / "t.jsonl",
        TICKET,
        {**TICKET, "id": 2, "answer": ""},
        {**TICKET, "id": "3", "answer": None},
        {"id": "4", "answer": "To nothing."},
        {**TICKET, "answer": "A later line."},
    )

    imported = brought_in(db, articles, tickets)

    assert imported.skipped == {
        "article without a body": 1,
        "ticket without an answer": 2,
        "ticket without a question": 1,
        "line with an id that a later line has too": 1,
    }
    assert "Skipped: ticket without an answer (2)." in str(imported)
    assert db.table("solved_tickets").get("lp-1")["answer"] == "A later line."


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{not json", "no JSON"),
        ("[1, 2]", "no JSON object"),
        ("[" * 100_000, "no JSON"),
        ('{"title": "No id", "body": "x"}', "no id"),
        ('{"id": true, "title": "T", "body": "x"}', "id is no text"),
        ('{"id": "a", "title": ["T"], "body": "x"}', "title is no text"),
        ('{"id": "a", "title": "T", "body": {"html": "x"}}', "body is no text"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(
    db: Database, tmp_path: Path, line: str, sentence: str
) -> None:
    tickets = jsonl(tmp_path / "t.jsonl", TICKET)
    articles = tmp_path / "articles.jsonl"
    articles.write_text(json.dumps(ARTICLE) + "\n" + line + "\n")

    with pytest.raises(BadInput, match=rf"articles\.jsonl, line 2: .*{sentence}"):
        brought_in(db, articles, tickets)

    assert db.table("articles").count == solved_ticket_count(db=db) == 0


@pytest.mark.parametrize("cited", ["limits", [1], {"a": 1}])
def test_citations_that_are_no_list_of_texts_are_refused(
    db: Database, tmp_path: Path, cited: Any
) -> None:
    tickets = jsonl(tmp_path / "t.jsonl", {**TICKET, "cited_articles": cited})

    with pytest.raises(BadInput, match="line 1: cited_articles"):
        brought_in(db, tickets=tickets)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"id": "a", "title": "\xff"}', "line 1 is not UTF-8"),
        (gzip.compress(b"{}", mtime=0)[:12], "broken gzip"),
        (b"\x1f\x8b and no more of it", "broken gzip"),
        (b'{"id": "a", "subject": "Only asked"}', "nothing to import"),
    ],
)
def test_a_file_that_is_none_is_refused(
    db: Database, tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "t.jsonl"
    file.write_bytes(content)

    with pytest.raises(BadInput, match=sentence):
        brought_in(db, tickets=file)


def test_a_missing_file_or_a_folder_is_refused(db: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        brought_in(db, articles=tmp_path / "nowhere.jsonl")
    with pytest.raises(BadInput, match="cannot be read"):
        brought_in(db, articles=tmp_path)


def test_text_that_sqlite_cannot_keep_is_mended(db: Database, tmp_path: Path) -> None:
    odd = {**TICKET, "question": "e\u0301 \ud83d and \x00 \ud83d\ude42"}

    brought_in(db, tickets=jsonl(tmp_path / "t.jsonl", odd))

    assert db.table("solved_tickets").get("lp-1")["question"] == "é \ufffd and  🙂"


def test_progress_runs_through_both_files(db: Database, tmp_path: Path) -> None:
    told: list[int] = []
    articles = jsonl(tmp_path / "a.jsonl", ARTICLE, {**ARTICLE, "id": "two"})
    tickets = jsonl(tmp_path / "t.jsonl", TICKET)

    import_files(articles=articles, tickets=tickets, db=db, progress=told.append)

    assert told == [2, 3]


def test_the_demo_help_desk_is_imported_whole(db: Database) -> None:
    imported = brought_in(db, DEMO / "articles.jsonl", DEMO / "solved_tickets.jsonl")

    assert imported.articles.added >= 40
    assert imported.tickets.added >= 200
    assert imported.skipped == {}


@on_shared_sets
def test_real_tickets_are_imported_whole(db: Database) -> None:
    folder = SHARED / "helpdesk"

    imported = brought_in(db, folder / "kb" / "articles.jsonl", folder / "tickets.jsonl")

    assert (imported.articles.added, imported.tickets.added) == (174, 2580)
    assert imported.skipped == {}


def test_all_that_a_row_tells_is_kept(db: Database, tmp_path: Path) -> None:
    more = {"language": "uk", "url": "https://x/7", "updated": "2026-01-02"}
    told = {"language": "de", "topic": "login", "url": "https://x/t", "created": "2026-03-04"}

    brought_in(
        db,
        jsonl(tmp_path / "a.jsonl", {**ARTICLE, **more}),
        jsonl(tmp_path / "t.jsonl", {**TICKET, **told}),
    )

    article = db.table("articles").get("limits")
    assert {name: article[name] for name in (*ARTICLE, *more)} == {**ARTICLE, **more}
    ticket = db.table("solved_tickets").get("lp-1")
    assert {name: ticket[name] for name in (*TICKET, *told)} == {**TICKET, **told}


@pytest.mark.parametrize("missing", ["subject", "question"])
def test_a_ticket_with_a_subject_or_a_question_is_enough(
    db: Database, tmp_path: Path, missing: str
) -> None:
    row = {name: value for name, value in TICKET.items() if name != missing}

    assert brought_in(db, tickets=jsonl(tmp_path / "t.jsonl", row)).tickets.added == 1
