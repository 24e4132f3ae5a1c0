"""CRM's records as its API shows them, made from support texts. Same number, same bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.zoho.desk_records import agent, customer, page
from tests.zoho.texts import Talk, Turn, answers, talks

Json = dict[str, Any]
FIRST_CASE, FIRST_SOLUTION = 3652397000001234001, 3652397000002000001
_HERE = timezone(timedelta(hours=2))
_CONTACTS = 40


def stamp(moment: datetime) -> str:
    """A time as CRM writes it, with the organisation's offset and no fraction."""
    return moment.astimezone(_HERE).isoformat(timespec="seconds")


class CaseRecord:
    """One Case with its notes and the mails that belong to its conversation."""

    def __init__(self, record: Json, notes: list[Json], mails: list[Json]) -> None:
        self.record = record
        self.notes = notes
        self.mails = mails

    @property
    def contact(self) -> str:
        """The id of who asked."""
        return str(self.record["Related_To"]["id"])


def case(number: int) -> CaseRecord:
    """Case `number`; the Cases of one contact share its list of mails."""
    talk = talks()[(number * 3) % len(talks())]
    started = datetime.fromisoformat(talk.created).replace(tzinfo=UTC) + timedelta(
        hours=number % 24, seconds=number
    )
    record = _case_record(number, talk, started)
    mails = [
        _mail(number, place, turn, talk.subject, started + timedelta(minutes=30 * place))
        for place, turn in enumerate(talk.turns)
    ]
    notes = [_note(record, number, started)] if number % 4 == 0 else []
    return CaseRecord(record, notes, mails)


def _case_record(number: int, talk: Talk, started: datetime) -> Json:
    who, owner = customer(number % _CONTACTS), agent(number)
    own = FIRST_CASE + 1000 * number
    comments = [
        {
            "id": str(own + 50),
            "comment_content": "Tried again, works",
            "commented_by": owner["name"],
            "commented_time": stamp(started + timedelta(hours=2)),
        }
    ]
    return {
        "id": str(own),
        "Case_Number": f"CS-{1000 + number}",
        "Subject": talk.subject,
        "Description": talk.turns[0].text,
        "Solution": talk.turns[-1].text if len(talk.turns) > 1 else None,
        "Status": "Closed" if len(talk.turns) > 1 else "New",
        "Case_Origin": "Email",
        "Email": who["email"],
        "Related_To": {"id": str(3652397000000999001 + number % _CONTACTS), "name": who["name"]},
        "Owner": {"id": owner["id"], "name": owner["name"], "email": owner["email"]},
        "Comments": comments if number % 6 == 0 else [],
        "No_of_comments": int(number % 6 == 0),
        "Internal_Comments": None,
        "Created_Time": stamp(started),
        "Modified_Time": stamp(started + timedelta(hours=3)),
    }


def _mail(number: int, place: int, turn: Turn, subject: str, moment: datetime) -> Json:
    ours, theirs = agent(number), customer(number % _CONTACTS)
    sent = turn.direction == "out"
    writer, reader = (ours, theirs) if sent else (theirs, ours)
    return {
        "message_id": f"m{number:06x}{place:02x}",
        "thread_id": f"t{number:06x}",
        "subject": subject if place == 0 else f"Re: {subject}",
        "summary": turn.text[:60],
        "from": {"user_name": writer["name"], "email": writer["email"]},
        "to": [{"user_name": reader["name"], "email": reader["email"]}],
        "cc": None,
        "time": stamp(moment),
        "sent": sent,
        "has_attachment": False,
        "linked_record": None,
        "content": page(turn.text),
        "mail_format": "html",
    }


def _note(record: Json, number: int, started: datetime) -> Json:
    return {
        "id": str(int(record["id"]) + 60),
        "Note_Title": "Call",
        "Note_Content": "Customer confirmed that it works.",
        "Parent_Id": {"id": record["id"], "name": record["Subject"]},
        "Owner": {"id": agent(number)["id"], "name": agent(number)["name"]},
        "Created_Time": stamp(started + timedelta(hours=1)),
        "Modified_Time": stamp(started + timedelta(hours=1)),
    }


def solutions() -> dict[str, Json]:
    """Questions and answers in several languages, one Solution each; by id."""
    found: dict[str, Json] = {}
    for number, (question, answer) in enumerate(answers()):
        moment = datetime(2024, 1, 10, tzinfo=UTC) + timedelta(hours=number)
        record = {
            "id": str(FIRST_SOLUTION + 1000 * number),
            "Solution_Number": f"SOL-{number + 1}",
            "Solution_Title": question[:120],
            "Question": question,
            "Answer": answer,
            "Status": "Reviewed",
            "Published": True,
            "Product_Name": None,
            "Created_Time": stamp(moment),
            "Modified_Time": stamp(moment),
        }
        found[str(record["id"])] = record
    return found
