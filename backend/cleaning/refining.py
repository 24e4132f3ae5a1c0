"""Raw lines → articles and solved tickets without personal data; or why there are none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from backend.cleaning import crm, desk
from backend.cleaning.conversation import Conversation
from backend.cleaning.language import language_of
from backend.cleaning.pairs import pair_of
from backend.cleaning.raw_folder import ARTICLES, line_at, parsed
from backend.domain.article import Article, SolvedTicket
from backend.privacy import Known, Placeholders, placeholders_in

VERSION = 1
"""To be raised when the same raw line gives another ticket, so that it is read anew."""

_GREETED = re.compile(
    r"\A(?P<hail>[^\W\d_][^\n\[\]]{0,40}?)[ ,]{1,2}(?P<who>\[NAME_\d+\](?: \[NAME_\d+\])?)"
    r"(?=\s*[,!.:\n]|\s*\Z)"
)


def refined(conversation: Conversation) -> SolvedTicket | str:
    """The solved ticket with placeholders numbered within it, or the reason for a drop."""
    pair = pair_of(conversation)
    if isinstance(pair, str):
        return pair
    ticket = SolvedTicket(
        id=conversation.id,
        subject=conversation.subject,
        question=pair.question,
        answer=pair.answer,
        language=language_of(pair.question, conversation.subject, pair.answer),
        topic=conversation.topic,
        url=conversation.url,
        created=conversation.created,
    )
    return redacted(ticket, conversation.known)


def redacted(ticket: SolvedTicket, known: Known | None = None) -> SolvedTicket:
    """The ticket with personal data replaced. Doing it again changes nothing.

    An answer that greets the customer by a name which the question does not tell loses that name:
    in serving nobody could know it.
    """
    placeholders = Placeholders(known) if known else Placeholders()
    subject = placeholders.redact(ticket.subject)
    question = placeholders.redact(ticket.question)
    answer = placeholders.redact(ticket.answer)
    told = set(placeholders_in(f"{subject} {question}"))
    greeted = _GREETED.match(answer)
    if greeted and not set(placeholders_in(greeted["who"])) & told:
        answer = greeted["hail"].rstrip(" ,") + answer[greeted.end() :]
    topic = placeholders.redact(ticket.topic)
    return replace(ticket, subject=subject, question=question, answer=answer, topic=topic)


@dataclass(frozen=True)
class Task:
    """Lines of one raw file, by id, place and the mark they had when they were last read."""

    path: Path
    lines: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one raw line. Nothing, and no reason: it has not changed."""

    id: str
    mark: str
    articles: tuple[Article, ...] = ()
    ticket: SolvedTicket | None = None
    dropped: str = ""


def refine(task: Task) -> list[Outcome]:
    """Reads these lines anew, but for those that carry their mark still. Runs in any process."""
    lines = line_at(task.path, [place for _, place, _ in task.lines])
    kind = "/".join(task.path.parts[-2:])
    outcomes = []
    for (id_, _, known), line in zip(task.lines, lines, strict=True):
        mark = sha256(f"{VERSION}\n".encode() + line.strip()).hexdigest()[:32]
        outcomes.append(Outcome(id_, mark) if mark == known else _outcome(id_, mark, kind, line))
    return outcomes


def _outcome(id_: str, mark: str, kind: str, line: bytes) -> Outcome:
    row = parsed(line)
    if kind in ARTICLES:
        solution = crm.solution(row) if kind.startswith("crm") else None
        found = desk.articles(row) if kind.startswith("desk") else [solution] if solution else []
        dropped = "" if found else "article unpublished, internal or without text"
        return Outcome(id_, mark, articles=tuple(found), dropped=dropped)
    talk = crm.conversation(row) if kind.startswith("crm") else desk.conversation(row)
    ticket = refined(replace(talk, id=id_))
    if isinstance(ticket, str):
        return Outcome(id_, mark, dropped=f"ticket {ticket}")
    return Outcome(id_, mark, ticket=ticket)
