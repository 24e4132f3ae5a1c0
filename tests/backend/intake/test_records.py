"""Articles of Desk, Cases and Solutions of CRM."""

from __future__ import annotations

from typing import Any

from backend.intake import crm, desk
from backend.intake.pairs import UNSETTLED, Pair, pair_of

ASKED, ANSWER = "I cannot log in. What can I do?", "Please open Settings, then press Reset."


def test_articles_come_in_each_language_and_unpublished_ones_do_not() -> None:
    record = {
        "title": "Reset",
        "answer": "<h2>How</h2><p>Open <b>Settings</b></p>",
        "locale": "en-us",
        "status": "Published",
        "permission": "ALL",
        "modifiedTime": "2024-05-02T08:12:44.000Z",
    }
    uk = {"locale": "uk", "title": "Скидання", "answer": "<p>Відкрийте</p>", "status": "Published"}

    found = desk.articles({"id": "5", "record": record, "translations": [uk]})

    assert [(article.id, article.language, article.body) for article in found] == [
        ("5", "en", "## How\n\nOpen Settings"),
        ("5:uk", "uk", "Відкрийте"),
    ]
    assert desk.articles({"id": "5", "record": {**record, "status": "Draft"}}) == []
    assert desk.articles({"id": "5", "record": {**record, "permission": "AGENTS"}}) == []


CASE = {
    "id": "c1",
    "Subject": "Cannot log in",
    "Description": ASKED,
    "Solution": "Cleared the session.",
    "Status": "Closed",
    "Email": "ana@customer.example",
    "Case_Number": "CS-1042",
    "Related_To": {"id": "r1", "name": "Ana Diaz"},
    "Owner": {"id": "o", "name": "Jade Tan"},
    "Created_Time": "2024-06-01T10:00:00+02:00",
    "Modified_Time": "2024-06-01T12:31:00+02:00",
}


def mail(text: str, at: str, *, sent: bool, subject: str = "Re: Cannot log in") -> dict[str, Any]:
    return {
        "content": f"<div>{text}</div>",
        "mail_format": "html",
        "time": at,
        "sent": sent,
        "subject": subject,
        "from": {"user_name": "x y", "email": "x@acme.example"},
        "to": None,
    }


def test_a_case_is_its_description_and_its_solution() -> None:
    case = crm.conversation({"id": "c1", "record": CASE, "notes": [{"Note_Content": "internal"}]})

    assert pair_of(case) == Pair(ASKED, "Cleared the session.")
    assert case.customer == "r1"
    assert case.created == "2024-06-01T08:00:00Z"
    assert (case.known.names, case.known.ids) == (("Ana Diaz", "Jade Tan"), ("CS-1042",))


def test_mails_of_the_same_subject_and_time_continue_a_case() -> None:
    mails = [
        mail(ANSWER, "2024-06-01T12:30:00+02:00", sent=True),
        mail("Another matter.", "2024-06-01T12:40:00+02:00", sent=True, subject="Invoice"),
        mail("Years later.", "2026-06-01T12:40:00+02:00", sent=True),
    ]

    case = crm.conversation({"id": "c1", "record": CASE, "emails": mails})

    assert pair_of(case) == Pair(ASKED, ANSWER)


def test_an_open_case_is_not_settled_by_a_draft_of_its_solution() -> None:
    assert pair_of(crm.conversation({"id": "c1", "record": {**CASE, "Status": "On Hold"}})) == (
        UNSETTLED
    )


def test_a_solution_is_an_article() -> None:
    record = {
        "Solution_Title": "Reset a password",
        "Question": "How do I reset?",
        "Answer": "Open Settings.",
        "Published": True,
    }

    found = crm.solution({"id": "s1", "record": record})

    assert found is not None
    assert (found.title, found.summary, found.body) == (
        "Reset a password",
        "How do I reset?",
        "Open Settings.",
    )
    assert crm.solution({"id": "s1", "record": {**record, "Published": False}}) is None
