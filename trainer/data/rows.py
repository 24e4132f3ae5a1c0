"""First half of `prepare`: every source becomes rows without personal data, in parts on disk.

A part is written whole or not at all, so that a run that was stopped goes on with the next one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.passage import SolvedTicket, solved_passage
from backend.intake.deduplication import signature
from backend.intake.language import language_of
from backend.intake.raw_records import (
    TICKETS,
    Lines,
    Outcome,
    Task,
    lines_that_count,
    pseudonym,
    raw_files,
    redacted,
    refine,
)
from backend.system.files import opened, write_whole
from backend.system.parallel import cut
from trainer.data.corpus import solved_ticket

LINES = 200  # in one part
TRUST = ("ticket", "rated", "sent", "ideal")
"""Where an answer comes from, the most trusted last: of near duplicates the best one stays."""


@dataclass(frozen=True)
class Row:
    """A solved ticket, or a rated reply, as it may be trained on; or why it is dropped."""

    source: str
    question: str = ""
    answer: str = ""
    title: str = ""
    customer: str = ""
    created: str = ""
    language: str = ""
    url: str = ""
    dropped: str = ""
    signature: str = ""

    def to_json(self) -> bytes:
        """The row as a line."""
        return json.dumps(asdict(self), ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True)
class Piece:
    """Some lines of one source, and the file to write their rows to."""

    kind: str
    path: Path
    part: Path
    first: int = 0
    lines: tuple[bytes, ...] = ()
    task: Task | None = None


def pieces_of_export(folder: Path, work: Path) -> tuple[list[Lines], Iterator[Piece]]:
    """The tickets of an export folder, in pieces."""
    files = [lines_that_count(path) for path in raw_files(folder, TICKETS)]

    def pieces() -> Iterator[Piece]:
        for lines in files:
            name = "-".join(lines.path.parts[-2:]).removesuffix(".jsonl")
            rows = ((id_, place, "") for id_, place in zip(lines.ids, lines.places, strict=True))
            for number, piece in enumerate(cut(rows, LINES)):
                part = work / f"{name}-{number:05}.rows"
                yield Piece("raw", lines.path, part, task=Task(lines.path, piece))

    return files, pieces()


def pieces_of_lines(kind: str, path: Path, work: Path) -> Iterator[Piece]:
    """A JSONL file, also a gzipped one, in pieces."""
    for number, lines in enumerate(cut(_lines(path), LINES)):
        part = work / f"{kind}-{number:05}.rows"
        yield Piece(kind, path, part, first=number * LINES + 1, lines=lines)


def line_count(path: Path) -> int:
    """How many lines a JSONL file has."""
    return sum(1 for _ in _lines(path))


def gather(piece: Piece) -> Path:
    """Writes the rows of a piece, unless they are there already. Runs in any process."""
    if not piece.part.exists():
        if piece.task:
            rows = [_of_outcome(outcome) for outcome in refine(piece.task)]
        else:
            rows = [row for row in _of_lines(piece) if row]
        write_whole(piece.part, b"".join(_signed(row).to_json() for row in rows))
    return piece.part


def rows_in(part: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a part, each with the place where it stands."""
    place = 0
    with part.open("rb") as file:
        for line in file:
            yield place, Row(**json.loads(line))
            place += len(line)


def row_at(part: Path, place: int) -> Row:
    """One row of a part."""
    with part.open("rb") as file:
        file.seek(place)
        return Row(**json.loads(file.readline()))


def _of_outcome(outcome: Outcome) -> Row:
    if outcome.ticket is None:
        return Row(f"ticket:{outcome.id}", dropped=outcome.dropped)
    return _of_ticket(outcome.ticket, outcome.customer)


def _of_ticket(ticket: SolvedTicket, customer: str) -> Row:
    return Row(
        source=f"ticket:{ticket.id}",
        question=ticket.asked,
        answer=ticket.answer,
        title=solved_passage(ticket).title,
        customer=customer,
        created=ticket.created,
        language=ticket.language or language_of(ticket.question, ticket.subject, ticket.answer),
        url=ticket.url,
    )


def _of_lines(piece: Piece) -> Iterator[Row | None]:
    read = _READERS[piece.kind]
    for number, line in enumerate(piece.lines, start=piece.first):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{piece.path}, line {number}, is no JSON: {error}.") from error
        if not isinstance(row, dict) or not (row.get("id") or row.get("source")):
            raise BadInput(f"{piece.path}, line {number}, is no object with an id.")
        yield read(row)


def _ticket_row(row: Mapping[str, Any]) -> Row:
    found = solved_ticket(row)
    if isinstance(found, str):
        return Row(f"ticket:{row['id']}", dropped=found)
    known = row.get("customer") or row.get("contact")
    customer = known if isinstance(known, str) else ""
    return _of_ticket(redacted(found), pseudonym(customer))


def _example_row(row: Mapping[str, Any]) -> Row | None:
    """What the backend exported: tickets, sent replies, ideal answers, excellent candidates."""
    kept = {name: row.get(name, "") for name in ("question", "answer", "source", "language")}
    example = Example(**kept, created=str(row.get("created") or ""))
    ticket = SolvedTicket(
        id=example.source,
        question=example.question,
        answer=example.answer,
        language=example.language,
        created=example.created,
    )
    return replace(_of_ticket(redacted(ticket), ""), source=example.source)


def _rating_row(row: Mapping[str, Any]) -> Row | None:
    """A rater's ideal answer; other ratings are no examples."""
    if not (str(row.get("ideal_answer") or "").strip() and row.get("question")):
        return None
    kept = {
        "question": row["question"],
        "answer": row["ideal_answer"],
        "source": f"ideal:{row['id']}",
    }
    return _example_row({**row, **kept})


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Row | None]] = {
    "tickets": _ticket_row,
    "examples": _example_row,
    "ratings": _rating_row,
}


def _signed(row: Row) -> Row:
    if row.dropped:
        return row
    marks = base64.b85encode(signature(row.question).astype("<u4").tobytes()).decode()
    return replace(row, signature=marks)


def words_hash(*texts: str) -> str:
    """Equal for texts of the same words, whatever the white space."""
    plain = "\n".join(" ".join(text.split()) for text in texts)
    return hashlib.sha256(plain.encode()).hexdigest()[:20]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with opened(path) as file:
            yield from file
    except (EOFError, OSError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path} cannot be read: {reason}.") from error
