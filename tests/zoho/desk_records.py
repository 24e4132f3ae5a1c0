"""Desk's tickets as its API shows them, made from support texts. Same number, same bytes."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.zoho.texts import Talk, Turn, talks

Json = dict[str, Any]
FIRST_TICKET = 22372000000212001
DEPARTMENTS = ("22372000000006907", "22372000000006908")
AGENTS = (("Jade", "Tan"), ("Олена", "Шевчук"), ("Jonas", "Weber"))
CUSTOMERS = (
    ("Ana", "Diaz"),
    ("Іван", "Петренко"),
    ("Ольга", "Смирнова"),
    ("Klaus", "Müller"),
    ("Mary", "O'Neil"),
)
LANGUAGES = {"en": "English", "ru": "Russian", "uk": "Ukrainian", "de": "German"}


def stamp(moment: datetime) -> str:
    """A time as Desk writes it."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    )


def page(text: str) -> str:
    """Plain text as the HTML of a mail."""
    return "<div>" + html.escape(text, quote=False).replace("\n", "<br>") + "</div>"


def _person(names: tuple[tuple[str, str], ...], number: int, base: int, kind: str) -> Json:
    first, last = names[number % len(names)]
    place = "acme" if kind == "AGENT" else "customer"
    return {
        "id": str(base + number % 500),
        "firstName": first,
        "lastName": last,
        "name": f"{first} {last}",
        "email": f"{kind.lower().replace('_', '-')}{number % 500}@{place}.example",
        "type": kind,
        "photoURL": None,
    }


def agent(number: int) -> Json:
    """Who answers ticket `number`."""
    return _person(AGENTS, number % 3, 22372000000056001, "AGENT")


def customer(number: int) -> Json:
    """Who asked ticket `number`."""
    return _person(CUSTOMERS, number, 22372000000210001, "END_USER")


class TicketRecord:
    """One ticket with everything that belongs to it."""

    def __init__(self, record: Json, threads: list[Json], comments: list[Json]) -> None:
        self.record = record
        self.threads = threads
        self.comments = comments
        self.archived = False

    @property
    def id(self) -> str:
        """The ticket's id."""
        return str(self.record["id"])

    @property
    def listed(self) -> Json:
        """The ticket as a list shows it: without description and resolution."""
        hidden = ("description", "resolution", "cf")
        return {name: value for name, value in self.record.items() if name not in hidden}

    @property
    def conversation(self) -> list[Json]:
        """Threads (without their content) and comments, newest first."""
        hidden = ("content", "plainText", "fullContentURL", "fullContent")
        threads = [
            {name: value for name, value in thread.items() if name not in hidden}
            for thread in self.threads
        ]
        items = [*threads, *self.comments]
        return sorted(items, key=lambda item: _when(item), reverse=True)

    def add_reply(self, text: str, *, now: datetime) -> None:
        """A customer writes again."""
        self.threads.append(_thread(self, len(self.threads), Turn("in", text), now))
        self.touch(now=now)

    def touch(self, *, now: datetime) -> None:
        """Something about the ticket changes."""
        self.record["modifiedTime"] = stamp(now)
        self.record["threadCount"] = str(len(self.threads))


def _when(item: Json) -> str:
    return str(item.get("createdTime") or item.get("commentedTime"))


def ticket(number: int) -> TicketRecord:
    """Ticket `number`: after the last text the first one comes again."""
    talk = talks()[number % len(talks())]
    started = datetime.fromisoformat(talk.created).replace(tzinfo=UTC) + timedelta(
        hours=number % 24, minutes=number % 60, seconds=number // len(talks())
    )
    made = TicketRecord(_ticket_record(number, talk, started), [], [])
    for place, turn in enumerate(talk.turns):
        made.threads.append(_thread(made, place, turn, started + timedelta(minutes=47 * place)))
    if number % 5 == 1:
        made.comments.append(_comment(made, number, started + timedelta(minutes=10)))
    made.archived = number % 20 == 7
    made.touch(now=started + timedelta(minutes=47 * len(talk.turns)))
    made.record["commentCount"] = str(len(made.comments))
    return made


def _ticket_record(number: int, talk: Talk, started: datetime) -> Json:
    who = customer(number)
    closed = len(talk.turns) > 1
    return {
        "id": str(FIRST_TICKET + 1000 * number),
        "ticketNumber": str(101 + number),
        "subject": talk.subject,
        "description": page(talk.turns[0].text),
        "resolution": None,
        "status": "Closed" if closed else "Open",
        "statusType": "Closed" if closed else "Open",
        "departmentId": DEPARTMENTS[number % 7 == 0],
        "channel": "Email",
        "language": LANGUAGES.get(talk.language, talk.language),
        "email": who["email"],
        "phone": None,
        "contactId": who["id"],
        "contact": {name: who[name] for name in ("id", "firstName", "lastName", "email")},
        "accountId": None,
        "assigneeId": agent(number)["id"],
        "isSpam": number % 41 == 40,
        "createdTime": stamp(started),
        "modifiedTime": stamp(started),
        "cf": {},
    }


def _thread(of: TicketRecord, place: int, turn: Turn, moment: datetime) -> Json:
    number = (int(of.id) - FIRST_TICKET) // 1000
    author = customer(number) if turn.direction == "in" else agent(number)
    text = turn.text
    if turn.direction == "out":
        text += f"\n\n-- \n{author['name']}\nAcme Support"
    thread: Json = {
        "type": "thread",
        "id": str(int(of.id) + 1 + place),
        "channel": "EMAIL",
        "direction": turn.direction,
        "status": "DRAFT" if number % 17 == 16 and place > 1 else "SUCCESS",
        "visibility": "public",
        "isDescriptionThread": place == 0,
        "isForward": False,
        "isContentTruncated": number % 23 == 3 and place == 1,
        "contentType": "text/html",
        "summary": turn.text[:60],
        "createdTime": stamp(moment),
        "author": author,
        "fromEmailAddress": f'"{author["name"]}"<{author["email"]}>',
        "to": '"Support"<support@acme.example>',
        "cc": "",
        "bcc": "",
        "hasAttach": False,
        "attachmentCount": "0",
        "attachments": [],
        "content": page(text),
        "plainText": text,
    }
    if thread["isContentTruncated"]:
        thread |= {"fullContent": thread["content"], "content": str(thread["content"])[:80]}
    return thread


def _comment(of: TicketRecord, number: int, moment: datetime) -> Json:
    return {
        "type": "comment",
        "id": str(int(of.id) + 500),
        "content": "Known problem, see the article.",
        "contentType": "plainText",
        "isPublic": False,
        "commentedTime": stamp(moment),
        "modifiedTime": None,
        "commenterId": agent(number)["id"],
        "commenter": agent(number),
    }
