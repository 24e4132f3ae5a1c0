"""Raw export lines as Zoho Desk writes them, made of conversations that a test thinks up.

The shapes are those of docs in the project's notes on the API: ids are strings, threads carry HTML,
the list of conversations holds summaries only.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

Line = dict[str, Any]
AGENT = {"id": "9", "firstName": "Jade", "lastName": "Tan", "name": "Jade Tan", "type": "AGENT"}


def thread(way: str, content: str, **changes: Any) -> Line:
    """A thread: `in` from the customer, `out` from the agent. Plain text becomes HTML."""
    markup = content if "<" in content else as_html(content)
    author = (
        {**AGENT, "email": "jade@acme.example"}
        if way == "out"
        else {"id": "7", "name": "Ana Diaz", "email": "ana@customer.example", "type": "END_USER"}
    )
    return {
        "type": "thread",
        "channel": "EMAIL",
        "direction": way,
        "status": "SUCCESS",
        "visibility": "public",
        "isForward": False,
        "contentType": "text/html",
        "author": author,
        "summary": content[:60],
        "content": markup,
        **changes,
    }


def ticket(id_: str, *said: Line, subject: str = "Cannot log in", **record: Any) -> Line:
    """A line of `desk/tickets.jsonl`; what was said is an hour apart, oldest first."""
    dated = [
        {"id": f"{id_}-{place}", "createdTime": f"2024-06-01T{8 + place:02}:00:00.000Z", **one}
        for place, one in enumerate(said)
    ]
    listed = [
        {name: value for name, value in one.items() if name != "content"}
        if one["type"] == "thread"
        else {**one, "commentedTime": one["createdTime"]}
        for one in dated
    ]
    return {
        "id": id_,
        "record": {
            "id": id_,
            "subject": subject,
            "status": "Closed",
            "statusType": "Closed",
            "contactId": f"c-{id_}",
            "email": "ana@customer.example",
            "phone": None,
            "createdTime": "2024-06-01T08:00:00.000Z",
            "webUrl": f"https://desk.example/{id_}",
            **record,
        },
        "conversations": listed[::-1],
        "threads": [one for one in dated if one["type"] == "thread"],
    }


def comment(content: str, *, public: bool) -> Line:
    """A comment of the agent."""
    return {"type": "comment", "content": content, "isPublic": public, "commenter": AGENT}


def of_forum_thread(row: Line) -> Line:
    """A thread of `raw_threads_sample.jsonl` as the Desk line it would have been."""
    said = [thread("in", row["question"], createdTime=f"{row['created']}T00:00:00Z")]
    for number, reply in enumerate(row["replies"], start=1):
        way = "in" if reply["by"] == "asker" else "out"
        at = f"{reply['created']}T{number // 60:02}:{number % 60:02}:00Z"
        said.append(thread(way, reply["text"], createdTime=at))
    return ticket(
        row["id"],
        *said,
        subject=row["subject"],
        status="Closed" if row["is_solved"] or row["is_locked"] else "Open",
        statusType="Closed" if row["is_solved"] or row["is_locked"] else "Open",
        isSpam=row["is_spam"],
        createdTime=f"{row['created']}T00:00:00Z",
    )


def as_html(text: str) -> str:
    """Plain text as a mail program writes it."""
    paragraphs = (html.escape(one).replace("\n", "<br>") for one in text.split("\n\n"))
    return "<div>" + "".join(f"<p>{one}</p>" for one in paragraphs) + "</div>"


def threads_of(*texts: str) -> Sequence[Line]:
    """Threads that take turns, the customer first."""
    return [thread("out" if place % 2 else "in", text) for place, text in enumerate(texts)]
