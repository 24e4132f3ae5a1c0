"""Knowledge in: articles and solved tickets out of JSONL files.

All or nothing: both files are read and checked to their ends before anything is saved, so that a
bad line leaves the store as it was. What is saved is saved in batches; an import that was
interrupted is finished by doing it again.
"""

from __future__ import annotations

import gzip
import json
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from backend.cleaning.files import opened
from backend.cleaning.refining import redacted
from backend.domain.article import Article, SolvedTicket
from backend.domain.errors import BadInput
from backend.store.knowledge import Stored, put_articles, put_solved_tickets

Row = Mapping[str, Any]
Source = TypeVar("Source", Article, SolvedTicket)


@dataclass(frozen=True)
class Imported:
    """What an import did. `skipped` counts lines by the reason why nothing was made of them."""

    articles: Stored = field(default_factory=Stored)
    tickets: Stored = field(default_factory=Stored)
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"Articles: {self.articles}.", f"Solved tickets: {self.tickets}."]
        lines += [f"Skipped: {count} {reason}." for reason, count in sorted(self.skipped.items())]
        return "\n".join(lines)


def import_files(
    *,
    articles: Path | None,
    tickets: Path | None,
    db: Database,
    progress: Callable[[int], None],
    hide: Callable[[SolvedTicket], SolvedTicket] = redacted,
) -> Imported:
    """Save the articles and solved tickets of these files; each is JSONL, or JSONL in gzip.

    Personal data in tickets is replaced, or whatever `hide` does is done to each; `as_it_is` keeps
    them. Unknown fields are ignored, a repeated id counts once with its last line, and `progress`
    hears how many things have been saved so far. Raises BadInput, naming file and line.
    """
    skipped: Counter[str] = Counter()
    read_articles = _read(articles, _article, skipped) if articles else []
    read_tickets = _read(tickets, _solved_ticket, skipped) if tickets else []
    read_tickets = [hide(ticket) for ticket in read_tickets]
    return Imported(
        articles=put_articles(read_articles, db=db, progress=progress),
        tickets=put_solved_tickets(
            read_tickets, db=db, progress=lambda count: progress(len(read_articles) + count)
        ),
        skipped=dict(skipped),
    )


def as_it_is(ticket: SolvedTicket) -> SolvedTicket:
    """The ticket with all that stands in it, for texts that hold nobody's data."""
    return ticket


class _Skip(Exception):
    """A line that is right but of no use. Says why."""


def _read(path: Path, make: Callable[[Row], Source], skipped: Counter[str]) -> list[Source]:
    sources: dict[str, Source] = {}
    useless: Counter[str] = Counter()
    for number, line in _lines(path):
        try:
            source = make(_row(line))
        except _Skip as reason:
            useless[str(reason)] += 1
        except BadInput as error:
            raise BadInput(
                f"{path}, line {number}: {error} Nothing was imported; mend the line, then import "
                "the file again."
            ) from error
        else:
            useless["lines with an id that a later line has too"] += source.id in sources
            sources[source.id] = source
    if useless and not sources:
        raise BadInput(
            f"{path} has nothing to import: {_listed(useless)}. Is it the right file? Articles "
            "need id, title and body; tickets need id, subject or question, and answer."
        )
    skipped.update(+useless)
    return list(sources.values())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with opened(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig")
                if text.strip():
                    yield number, text
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}, line {number} is not UTF-8. Nothing was imported; save the file as UTF-8."
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{path} is a broken gzip file ({error}). Nothing was imported; copy it anew."
        ) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}. Nothing was imported.") from error


def _row(line: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"this is no JSON ({error}).") from error
    if not isinstance(row, dict):
        raise BadInput("this is no JSON object.")
    return row


def _article(row: Row) -> Article:
    id_ = _id(row)
    return Article(
        id=id_,
        title=_needed(row, "title", "articles without a title"),
        body=_needed(row, "body", "articles without a body"),
        summary=_text(row, "summary"),
        url=_text(row, "url"),
        language=_text(row, "language"),
        updated=_text(row, "updated"),
    )


def _solved_ticket(row: Row) -> SolvedTicket:
    id_ = _id(row)
    subject, question = _text(row, "subject"), _text(row, "question")
    if not (subject or question):
        raise _Skip("tickets without a question")
    return SolvedTicket(
        id=id_,
        subject=subject,
        question=question,
        answer=_needed(row, "answer", "tickets without an answer"),
        language=_text(row, "language"),
        topic=_text(row, "topic"),
        url=_text(row, "url"),
        created=_text(row, "created"),
        cited=_texts(row, "cited_articles"),
    )


def _id(row: Row) -> str:
    value = row.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if id_ := _text(row, "id"):
        return id_
    raise BadInput("there is no id.")


def _needed(row: Row, name: str, otherwise: str) -> str:
    if text := _text(row, name):
        return text
    raise _Skip(otherwise)


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(f"{name} is no text but {json.dumps(value)[:40]}.")
    return _clean(value)


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.get(name) or []
    if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise BadInput(f"{name} is no list of texts.")
    return tuple(_clean(one) for one in value)


def _clean(text: str) -> str:
    """What SQLite keeps and search compares: composed letters, no NUL, no half of a pair."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", whole).replace("\0", "").strip()


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
