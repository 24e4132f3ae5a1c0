"""What the trainer reads: articles and solved tickets, one JSON object a line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.passage import Article, SolvedTicket

_HEADING = re.compile(r"^#{2,6}\s+(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A part of an article under one heading; the first part stands under the title."""

    article: Article
    number: int
    title: str
    text: str


def read_articles(path: Path, dropped: Counter[str]) -> list[Article]:
    """The articles of a file, in its order. Those without text are counted in `dropped`."""
    found = []
    for row in read_rows(path):
        values = _values(row, Article)
        if values["title"] and values["body"]:
            found.append(Article(**values))
        else:
            dropped["article without a title or a body"] += 1
    return found


def read_tickets(path: Path, dropped: Counter[str]) -> list[SolvedTicket]:
    """The solved tickets of a file, in its order. Unusable ones are counted in `dropped`."""
    found: list[SolvedTicket] = []
    seen: set[tuple[str, str]] = set()
    for row in read_rows(path):
        ticket = solved_ticket(row)
        if isinstance(ticket, str):
            dropped[ticket] += 1
            continue
        words = (" ".join(ticket.asked.split()), " ".join(ticket.answer.split()))
        if words in seen:
            dropped["exact duplicate of a ticket"] += 1
        else:
            seen.add(words)
            found.append(ticket)
    _refuse_equal_ids(found, path)
    return found


def solved_ticket(row: Mapping[str, Any]) -> SolvedTicket | str:
    """The solved ticket in a row, or why there is none."""
    values = _values(row, SolvedTicket)
    if not any(character.isalnum() for character in values["subject"] + values["question"]):
        return "ticket without a question"
    return SolvedTicket(**values) if values["answer"] else "ticket without an answer"


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Each line of a JSONL file. Raises BadInput with the line's number if one is no object."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadInput(f"{path}, line {number}, is no JSON: {error}.") from error
        if not isinstance(row, dict) or not row.get("id"):
            raise BadInput(f"{path}, line {number}, is no object with an id.")
        yield row


def sections(article: Article) -> list[Section]:
    """The parts of an article that have text, each with a title that names the article too."""
    pieces = _HEADING.split(article.body)
    headed = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    found: list[Section] = []
    for heading, text in headed:
        if text.strip():
            title = f"{article.title}: {heading}" if heading else article.title
            found.append(Section(article, len(found), title, text.strip()))
    return found


def _values(row: Mapping[str, Any], kind: type[Article] | type[SolvedTicket]) -> dict[str, Any]:
    texts = (one.name for one in fields(kind) if one.type == "str")
    return {name: str(row.get(name) or "").strip() for name in texts}


def _refuse_equal_ids(tickets: list[SolvedTicket], path: Path) -> None:
    often = [one for one, count in Counter(ticket.id for ticket in tickets).items() if count > 1]
    if often:
        raise BadInput(
            f"{path} has {len(often)} ids that stand for several tickets, {often[0]} among them. "
            "Splits go by id, so each ticket needs its own."
        )
