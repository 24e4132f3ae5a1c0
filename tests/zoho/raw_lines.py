"""What a whole export of the local Zoho must hold: its raw lines, made without HTTP.

`write_raw(folder)` gives cleaning and prepare a raw folder at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.zoho.portal import Portal

Json = dict[str, Any]


def ticket_line(portal: Portal, ticket_id: str) -> Json:
    """A ticket with its conversation and its full threads but drafts, the newest first."""
    ticket = portal.tickets[ticket_id]
    whole = {thread["id"]: thread for thread in ticket.threads}
    order = [
        item["id"]
        for item in ticket.conversation
        if item["type"] == "thread" and item["status"] != "DRAFT"
    ]
    return {
        "id": ticket_id,
        "record": ticket.record,
        "conversations": ticket.conversation,
        "threads": [_whole(whole[thread_id]) for thread_id in order],
    }


def _whole(thread: Json) -> Json:
    """A thread as an export keeps it: with its full content where Desk shortened it."""
    shown = {name: value for name, value in thread.items() if name != "fullContent"}
    return shown | {"content": thread.get("fullContent", thread["content"])}


def lines(portal: Portal) -> dict[str, list[Json]]:
    """Each file's lines, in the order of their ids."""
    articles = [
        {"id": name, "record": article.record, "translations": list(article.translations.values())}
        for name, article in portal.articles.items()
    ]
    solutions = [{"id": name, "record": record} for name, record in portal.solutions.items()]
    cases = [
        {"id": name, "record": case.record, "notes": case.notes, "emails": case.mails}
        for name, case in portal.cases.items()
    ]
    found = {
        "desk/articles.jsonl": articles,
        "desk/tickets.jsonl": [ticket_line(portal, name) for name in portal.tickets],
        "crm/solutions.jsonl": solutions,
        "crm/cases.jsonl": cases,
    }
    return {name: sorted(rows, key=lambda row: int(row["id"])) for name, rows in found.items()}


def write_raw(folder: Path, portal: Portal | None = None) -> Path:
    """A raw folder as an export of this portal leaves it."""
    for name, rows in lines(portal or Portal()).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(map(_line, rows)), encoding="utf-8")
    return folder


def _line(row: Json) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_lines(file: Path) -> list[Json]:
    """The objects of a JSONL file, without what only tells where a server listened."""
    with file.open(encoding="utf-8") as opened:
        found = [json.loads(line) for line in opened]
    for row in found:
        for thread in row.get("threads", ()):
            thread.pop("fullContentURL", None)
    return found
