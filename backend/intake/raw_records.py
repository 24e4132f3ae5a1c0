"""Lines of an export folder → articles and solved tickets without personal data, or why none.

A later line with an id replaces an earlier one, and a line can say that its record is gone. Only
places are kept in memory, so a file of any size can be read; a file without its last line break
may still be written, so its last line is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.passage import Article, SolvedTicket
from backend.intake import crm, desk
from backend.intake.conversation import Conversation
from backend.intake.language import language_of
from backend.intake.mail import intake_words
from backend.intake.pairs import is_greeting, pair_of
from backend.privacy import placeholders_in
from backend.privacy.detect.known import Known
from backend.privacy.placeholders import Placeholders
from backend.system.languages import either

VERSION = 2
"""To be raised when the same raw line gives another ticket, so that it is read anew."""
TICKETS = ("desk/tickets.jsonl", "crm/cases.jsonl")
ARTICLES = ("desk/articles.jsonl", "crm/solutions.jsonl")
_ID = re.compile(rb'^\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"\s*,')
_GONE = re.compile(rb'^\s*\{\s*"id"\s*:\s*"[^"\\]{1,200}"\s*,\s*"deleted"\s*:\s*true\s*\}\s*$')
_GREETED = re.compile(
    r"\A(?P<hail>[^\W\d_][^\n\[\]]{0,40}?)[ ,]{1,2}(?P<who>\[(?:USER)?NAME_\d+\](?: \[NAME_\d+\])?)"
    r"(?P<end>\s*[,!.:\n]\s*|\s*\Z)"
)
_NOTHING_ALONE = re.compile(either(intake_words().greetings_before_a_name), re.IGNORECASE)


@dataclass(frozen=True)
class Lines:
    """The lines of one file that count, in the order of their ids, and the ids that are gone."""

    path: Path
    ids: tuple[str, ...]
    places: tuple[int, ...]
    gone: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Task:
    """Lines of one raw file, by id, place and the mark they had when they were last read."""

    path: Path
    lines: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one raw line. Nothing, and no reason: it has not changed.

    `customer` is a pseudonym, the same for all tickets of one customer.
    """

    id: str
    mark: str
    customer: str = ""
    articles: tuple[Article, ...] = ()
    ticket: SolvedTicket | None = None
    dropped: str = ""


def raw_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Those of the named files that the export folder has.

    Raises BadInput if it has none of all that an export can write.
    """
    if not any((folder / name).is_file() for name in (*TICKETS, *ARTICLES)):
        raise BadInput(
            f"{folder} is no export folder: it has none of {', '.join((*TICKETS, *ARTICLES))}. "
            "`suggest-answer zoho export` writes one."
        )
    return [folder / name for name in names if (folder / name).is_file()]


def lines_that_count(path: Path) -> Lines:
    """Which lines of a file count. Raises BadInput, naming the line, for one without an id."""
    places: dict[str, int] = {}
    gone: dict[str, None] = {}
    for number, place, line in _numbered(path):
        id_, deleted = _told(line, path, number)
        places.pop(id_, None)
        gone.pop(id_, None)
        if deleted:
            gone[id_] = None
        else:
            places[id_] = place
    ids = sorted(places, key=in_order)
    return Lines(path, tuple(ids), tuple(places[id_] for id_ in ids), tuple(sorted(gone)))


def line_at(path: Path, places: Sequence[int]) -> Iterator[bytes]:
    """The lines that begin at these places."""
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            yield file.readline()


def parsed(line: bytes) -> dict[str, Any]:
    """A line's object. Raises BadInput if it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"This line is no JSON ({error}): {line[:80]!r}.") from error
    if not isinstance(row, dict):
        raise BadInput(f"This line is no JSON object: {line[:80]!r}.")
    return row


def in_order(id_: str) -> tuple[int, str]:
    """A key that sorts Zoho's numbers by their value and other ids after those of their length."""
    return len(id_), id_


def refine(task: Task) -> list[Outcome]:
    """Reads these lines anew, but for those that carry their mark still. Runs in any process."""
    lines = line_at(task.path, [place for _, place, _ in task.lines])
    kind = "/".join(task.path.parts[-2:])
    outcomes = []
    for (id_, _, known), line in zip(task.lines, lines, strict=True):
        mark = sha256(f"{VERSION}\n".encode() + line.strip()).hexdigest()[:32]
        outcomes.append(Outcome(id_, mark) if mark == known else _outcome(id_, mark, kind, line))
    return outcomes


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
    answer = _without_unknown_name(answer, told)
    topic = placeholders.redact(ticket.topic) if ticket.topic else ""
    return replace(ticket, subject=subject, question=question, answer=answer, topic=topic)


def pseudonym(customer: str) -> str:
    """A short hash that stands for a customer; empty for nobody."""
    return sha256(f"customer {customer}".encode()).hexdigest()[:12] if customer else ""


def _numbered(path: Path) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip() and line.endswith(b"\n"):
                    yield number, place, line
                place += len(line)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def _told(line: bytes, path: Path, number: int) -> tuple[str, bool]:
    """A line's id and whether its record is gone; a long line is not parsed for that."""
    if found := _ID.match(line):
        return found[1].decode("utf-8", "replace"), bool(_GONE.match(line))
    try:
        row = parsed(line)
    except BadInput as error:
        raise BadInput(f"{path}, line {number}: {error}") from error
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise BadInput(f"{path}, line {number}, is no object with an id.")
    return row["id"], row.get("deleted") is True


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
    return Outcome(id_, mark, customer=pseudonym(talk.customer), ticket=ticket)


def _without_unknown_name(answer: str, told: set[str]) -> str:
    greeted = _GREETED.match(answer)
    if not greeted or not is_greeting(answer) or set(placeholders_in(greeted["who"])) & told:
        return answer
    rest = answer[greeted.end() :]
    if _NOTHING_ALONE.match(greeted["hail"]):
        return rest or answer
    return greeted["hail"].rstrip(" ,") + greeted["end"] + rest
