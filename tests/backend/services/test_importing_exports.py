"""A raw export becomes articles and solved tickets without personal data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.knowledge.lexical_index import passages_with
from backend.knowledge.ranking import passages_for
from backend.knowledge.store import solved_tickets
from backend.services.import_knowledge import ImportedExport, import_export
from tests.desk_lines import Line, thread, threads_of, ticket

ANSWER = "Hello Ana, please open Settings and press Reset. Call Ana Diaz if it fails."
TALK = threads_of("I cannot log in. My mail is ana@customer.example, I am Ana Diaz.", ANSWER)
ARTICLE = {
    "title": "Reset", "answer": "<p>Open <b>Settings</b>.</p>", "locale": "en",
    "status": "Published", "modifiedTime": "2024-05-02T08:12:44.000Z",
}  # fmt: skip


def export(folder: Path, file: str, *lines: Line, append: bool = False) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if append else "w", encoding="utf-8") as out:
        out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return folder


def brought_in(folder: Path, db: Database, processes: int = 1) -> ImportedExport:
    return import_export(folder, db=db, progress=lambda done, of: None, processes=processes)


def article(id_: str, *translations: dict[str, Any], **changes: Any) -> Line:
    return {"id": id_, "record": {**ARTICLE, **changes}, "translations": list(translations)}


def test_tickets_and_articles_are_found_without_personal_data(db: Database, tmp_path: Path) -> None:
    export(tmp_path, "desk/tickets.jsonl", ticket("1", *TALK))
    export(tmp_path, "desk/articles.jsonl", article("5"))

    imported = brought_in(tmp_path, db)

    assert (imported.articles.added, imported.tickets.added) == (1, 1)
    kept = solved_tickets(db=db)[0]
    assert kept.question == "I cannot log in. My mail is [EMAIL_1], I am [NAME_1]."
    assert kept.answer.startswith("Hello [NAME_1], please open Settings")
    found = passages_for("I cannot log in", db=db, articles=2, solved=2)
    assert "Call [NAME] if it fails." in next(one.text for one in found if one.kind == "solved")
    everything = "\n".join(db.conn.iterdump())
    assert "Ana" not in everything
    assert "customer.example" not in everything


def test_importing_again_reads_only_what_changed(db: Database, tmp_path: Path) -> None:
    export(tmp_path, "desk/tickets.jsonl", ticket("1", *TALK), ticket("2", *TALK))
    brought_in(tmp_path, db)
    changed = threads_of("Where is my invoice?", "Open Billing, then Invoices.")
    export(tmp_path, "desk/tickets.jsonl", ticket("2", *changed), append=True)

    imported = brought_in(tmp_path, db)

    assert (imported.tickets.updated, imported.tickets.unchanged) == (1, 1)
    assert {one.id: one.question for one in solved_tickets(db=db)}["2"] == "Where is my invoice?"


def test_what_is_deleted_or_no_solved_ticket_any_more_is_removed(
    db: Database, tmp_path: Path
) -> None:
    export(tmp_path, "desk/tickets.jsonl", *(ticket(id_, *TALK) for id_ in ("1", "2", "3")))
    uk = {**ARTICLE, "locale": "uk", "title": "Скидання"}
    export(tmp_path, "desk/articles.jsonl", article("5", uk), article("6"), article("7", uk))
    brought_in(tmp_path, db)
    export(tmp_path, "desk/tickets.jsonl", {"id": "1", "deleted": True}, append=True)
    spam = ticket("2", *TALK, isSpam=True)
    export(tmp_path, "desk/tickets.jsonl", spam, append=True)
    gone = {"id": "5", "deleted": True}
    export(tmp_path, "desk/articles.jsonl", gone, article("7"), append=True)

    imported = brought_in(tmp_path, db)

    assert imported.removed == 2 + 2 + 1
    assert dict(imported.dropped) == {"ticket spam": 1}
    assert [one.id for one in solved_tickets(db=db)] == ["3"]
    assert [row["id"] for row in db.table("articles").rows] == ["6", "7"]
    assert {row["source_id"] for row in db.table("passages").rows} == {"3", "6", "7"}
    assert "Removed: 5.\nDropped: ticket spam (1)." in str(imported)
    assert brought_in(tmp_path, db).removed == 0


def test_several_processes_save_the_same(db: Database, tmp_path: Path) -> None:
    lines = [
        ticket(str(number), *threads_of(f"Question {number}: how do I log in?", ANSWER))
        for number in range(250)
    ]
    export(tmp_path, "desk/tickets.jsonl", *lines)

    imported = brought_in(tmp_path, db, processes=2)

    assert imported.tickets.added == 250
    assert brought_in(tmp_path, db).tickets.unchanged == 250


def test_an_interrupted_import_goes_on_where_it_was(db: Database, tmp_path: Path) -> None:
    export(tmp_path, "desk/tickets.jsonl", *(ticket(str(n), *TALK) for n in range(250)))

    def stop(done: int, of: int) -> None:
        assert of == 250
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_export(tmp_path, db=db, progress=stop, processes=1)
    imported = brought_in(tmp_path, db)

    assert (imported.tickets.added, imported.tickets.unchanged) == (150, 100)
    assert passages_with(["reset"], db=db) == {"reset": 250}


def test_a_line_that_is_still_being_written_is_left_for_later(db: Database, tmp_path: Path) -> None:
    export(tmp_path, "desk/tickets.jsonl", ticket("1", *TALK))
    with (tmp_path / "desk/tickets.jsonl").open("a") as file:
        file.write('{"id":"2","record":{"subj')

    assert brought_in(tmp_path, db).tickets.added == 1


def test_dropped_tickets_are_counted_by_reason(db: Database, tmp_path: Path) -> None:
    export(
        tmp_path,
        "desk/tickets.jsonl",
        ticket("1", thread("in", "Hello, is anybody there?")),
        ticket("2", *TALK, isTrashed=True),
    )
    export(tmp_path, "desk/articles.jsonl", article("5", status="Draft"))

    assert dict(brought_in(tmp_path, db).dropped) == {
        "article unpublished, internal or without text": 1,
        "ticket deleted": 1,
        "ticket unanswered": 1,
    }
    assert dict(brought_in(tmp_path, db).dropped)["ticket unanswered"] == 1


def test_cases_and_solutions_are_imported_too(db: Database, tmp_path: Path) -> None:
    record = {
        "Subject": "Login", "Description": "I cannot log in, says Ana Diaz.", "Status": "Closed",
        "Solution": "Clear the session.", "Related_To": {"id": "9", "name": "Ana Diaz"},
        "Created_Time": "2024-06-01T10:00:00+02:00",
    }  # fmt: skip
    solution = {"Solution_Title": "Reset", "Answer": "Open Settings.", "Published": True}
    export(tmp_path, "crm/cases.jsonl", {"id": "c1", "record": record, "notes": [], "emails": []})
    export(tmp_path, "crm/solutions.jsonl", {"id": "s1", "record": solution})

    imported = brought_in(tmp_path, db)

    assert (imported.articles.added, imported.tickets.added) == (1, 1)
    assert solved_tickets(db=db)[0].question == "I cannot log in, says [NAME_1]."


@pytest.mark.parametrize("line", ["{not json}\n", "[1]\n", '{"record":{}}\n'])
def test_a_broken_line_is_named(db: Database, tmp_path: Path, line: str) -> None:
    export(tmp_path, "desk/tickets.jsonl", ticket("1", *TALK))
    with (tmp_path / "desk/tickets.jsonl").open("a") as file:
        file.write(line)

    with pytest.raises(BadInput, match=r"tickets\.jsonl, line 2"):
        brought_in(tmp_path, db)


def test_a_folder_that_is_no_export_is_refused(db: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="zoho export"):
        brought_in(tmp_path, db)
