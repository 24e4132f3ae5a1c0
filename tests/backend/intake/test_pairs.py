"""Conversations to pairs: what was asked, what settled it, and why some give none."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from backend.intake import crm, desk
from backend.intake.pairs import (
    ONLY_ASKED_BACK,
    ONLY_AUTOMATIC,
    PLEASANTRIES,
    UNANSWERED,
    UNSETTLED,
    Pair,
    pair_of,
)
from tests.desk_lines import Line, comment, of_forum_thread, thread, threads_of, ticket
from tests.shared_sets import SHARED, on_shared_sets

ASKED, ANSWER = "I cannot log in. What can I do?", "Please open Settings, then press Reset."


def pair(*said: Line, **record: Any) -> Pair | str:
    return pair_of(desk.conversation(ticket("1", *said, **record)))


def test_the_question_and_the_answer_of_a_plain_ticket() -> None:
    assert pair(*threads_of(ASKED, ANSWER)) == Pair(ASKED, ANSWER)


def test_a_burst_of_the_customer_is_one_question() -> None:
    said = [thread("in", ASKED), thread("in", "It is version 5."), thread("out", ANSWER)]

    assert pair(*said) == Pair(f"{ASKED}\n\nIt is version 5.", ANSWER)


def test_a_question_back_is_no_answer_and_what_it_brought_belongs_to_the_question() -> None:
    said = threads_of(ASKED, "Hello Ana, which version do you use?", "Version 5.", ANSWER)

    assert pair(*said) == Pair(f"{ASKED}\n\nVersion 5.", ANSWER)


def test_the_answer_is_the_last_one_before_the_customer_was_satisfied() -> None:
    second = "Then delete the file cache.db and start the program again."
    said = threads_of(
        ASKED,
        ANSWER,
        "Still the same error.",
        second,
        "Thanks, it works now!",
        "You are welcome, have a nice day!",
    )

    assert pair(*said) == Pair(ASKED, second)


def test_an_answer_in_two_mails_is_one() -> None:
    said = [thread("in", ASKED), thread("out", ANSWER), thread("out", "Then start it again.")]

    assert pair(*said) == Pair(ASKED, f"{ANSWER}\n\nThen start it again.")


def test_drafts_failures_forwards_and_notes_are_not_read() -> None:
    said = [
        thread("in", ASKED),
        comment("The customer is difficult.", public=False),
        thread("out", ANSWER),
        thread("out", "A draft.", status="DRAFT"),
        thread("out", "It came back.", status="FAILED"),
        thread("out", "For your eyes only.", visibility="private"),
        thread("out", "Dear colleague, see this.", isForward=True),
    ]

    assert pair(*said) == Pair(ASKED, ANSWER)


def test_a_public_comment_of_an_agent_is_an_answer() -> None:
    assert pair(thread("in", ASKED), comment(ANSWER, public=True)) == Pair(ASKED, ANSWER)


def test_a_receipt_by_a_machine_is_no_answer() -> None:
    receipt = "Your request has been received, ticket id 77. We will get back to you."
    said = [thread("in", ASKED), thread("out", receipt), thread("out", ANSWER)]

    assert pair(*said) == Pair(ASKED, ANSWER)
    assert pair(*said[:2]) == ONLY_AUTOMATIC


def test_a_thread_that_is_missing_is_read_from_the_list() -> None:
    line = ticket("1", *threads_of(ASKED, ANSWER))
    line["threads"] = line["threads"][:1]

    assert pair_of(desk.conversation(line)) == Pair(ASKED, ANSWER)


def test_the_description_opens_a_ticket_that_an_agent_made() -> None:
    assert pair(thread("out", ANSWER), description=f"<p>{ASKED}</p>") == Pair(ASKED, ANSWER)


@pytest.mark.parametrize(
    ("said", "record", "reason"),
    [
        ([thread("in", ASKED)], {}, UNANSWERED),
        (threads_of(ASKED, "Could you please send us a screenshot?"), {}, ONLY_ASKED_BACK),
        (threads_of("Thanks for everything", "You are welcome!"), {}, PLEASANTRIES),
        (threads_of(ASKED, ANSWER), {"isSpam": True}, "spam"),
        (threads_of(ASKED, ANSWER), {"isTrashed": True}, "deleted"),
        (threads_of(ASKED, ANSWER), {"mergedTicketId": "5"}, "merged into another ticket"),
        (
            threads_of(ASKED, ANSWER, "No, that fails."),
            {"status": "Open", "statusType": "Open"},
            UNSETTLED,
        ),
        ([thread("in", ASKED), comment("internal", public=False)], {}, UNANSWERED),
        ([thread("in", "Automatic reply: I am out of office until Monday")], {}, ONLY_AUTOMATIC),
        ([], {"subject": ""}, "without a question"),
    ],
)
def test_why_there_is_no_pair(said: list[Line], record: dict[str, Any], reason: str) -> None:
    if reason == ONLY_AUTOMATIC:
        record = {**record, "subject": ""}

    assert pair(*said, **record) == reason


def test_the_records_own_resolution_counts_where_nothing_public_was_sent() -> None:
    assert pair(thread("in", ASKED), resolution=ANSWER) == Pair(ASKED, ANSWER)


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"id": "1", "record": None, "threads": 5},
        {
            "id": "1",
            "record": {"subject": 5, "createdTime": "never"},
            "threads": [None, {"direction": "in", "author": "x"}],
            "conversations": {"a": 1},
        },
    ],
)
def test_odd_lines_give_no_pair_and_no_error(line: Line) -> None:
    assert isinstance(pair_of(desk.conversation(line)), str)
    assert isinstance(pair_of(crm.conversation(line)), str)
    assert desk.articles(line) == []
    assert crm.solution(line) is None


def test_what_a_ticket_tells_of_its_people() -> None:
    line = ticket("1", *threads_of(ASKED, ANSWER), contact={"firstName": "Ana", "lastName": "Diaz"})

    known = desk.conversation(line).known

    assert known.names == ("Ana Diaz", "Jade Tan")
    assert known.emails == ("ana@customer.example", "jade@acme.example")


@on_shared_sets
def test_real_threads_give_pairs_and_every_drop_has_its_reason() -> None:
    path = SHARED / "helpdesk" / "raw_threads_sample.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    found = {row["id"]: pair_of(desk.conversation(of_forum_thread(row))) for row in rows}

    reasons = Counter(pair for pair in found.values() if isinstance(pair, str))
    silent = [row["id"] for row in rows if not any(r["by"] != "asker" for r in row["replies"])]
    assert all(isinstance(found[id_], str) for id_ in silent)
    assert reasons[UNANSWERED] == len(
        [row for row in rows if row["id"] in silent and not row["is_spam"]]
    )
    assert sum(isinstance(pair, Pair) for pair in found.values()) >= 60
