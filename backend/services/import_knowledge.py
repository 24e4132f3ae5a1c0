"""Articles and solved tickets into the knowledge store, from JSONL files or an export of Zoho.

Files are all or nothing: they are read and checked to their ends before anything is saved. Of an
export only lines that have changed are read, and each batch is saved together with the note that it
was read: an import that was interrupted goes on where it was.
"""

from __future__ import annotations

import gzip
import json
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.domain.passage import Article, SolvedTicket
from backend.intake.raw_records import (
    ARTICLES,
    TICKETS,
    Lines,
    Outcome,
    Task,
    lines_that_count,
    raw_files,
    redacted,
    refine,
)
from backend.knowledge.lexical_index import recount_terms
from backend.knowledge.store import (
    Stored,
    drops,
    forget,
    marks,
    put_articles,
    put_solved_tickets,
    put_some,
    remember,
    remove_articles,
    remove_solved_tickets,
    used,
)
from backend.system.database import transaction
from backend.system.files import opened
from backend.system.parallel import cut, in_processes
from backend.system.resources import processors

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


_LINES = 100  # in one piece of work
_WORTH_PROCESSES = 500


@dataclass(frozen=True)
class ImportedExport:
    """What an import did. `dropped` counts all records in the store's exports by reason."""

    articles: Stored = field(default_factory=Stored)
    tickets: Stored = field(default_factory=Stored)
    removed: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"Articles: {self.articles}.", f"Solved tickets: {self.tickets}."]
        lines += [f"Removed: {self.removed}."] if self.removed else []
        return "\n".join([*lines, *(f"Dropped: {n} {why}." for why, n in self.dropped.items())])


Progress = Callable[[int, int], None]


def import_export(
    folder: Path, *, db: Database, progress: Progress, processes: int = 0
) -> ImportedExport:
    """Save what an export folder holds, cleaned and without personal data.

    `progress` hears how many of how many lines are done. Raises BadInput if the folder is no
    export or a line is broken; what was read before that line stays.
    """
    files = [lines_that_count(path) for path in raw_files(folder, (*ARTICLES, *TICKETS))]
    total = sum(map(len, files))
    workers = processes or (processors() if total >= _WORTH_PROCESSES else 1)
    done, imported = 0, ImportedExport()
    try:
        for lines in files:
            for batch in _outcomes(lines, workers, db):
                imported = _plus(imported, _save(_name(lines.path), batch, db))
                done += len(batch)
                progress(done, total)
            imported = _plus(imported, _remove_gone(lines, db))
    finally:
        recount_terms(db)
    return _plus(imported, ImportedExport(dropped=drops(db=db)))


def _outcomes(lines: Lines, workers: int, db: Database) -> Iterator[list[Outcome]]:
    known = marks(_name(lines.path), db=db)
    places = zip(lines.ids, lines.places, strict=True)
    rows = ((id_, place, known.get(id_, "")) for id_, place in places)
    tasks = (Task(lines.path, piece) for piece in cut(rows, _LINES))
    yield from in_processes(refine, tasks, processes=workers)


def _save(file: str, outcomes: Sequence[Outcome], db: Database) -> ImportedExport:
    fresh = [one for one in outcomes if one.articles or one.ticket or one.dropped]
    read = {one.id for one in fresh}
    same = used(file, (one.id for one in outcomes if one.id not in read), db=db)
    articles = [article for one in fresh for article in one.articles]
    tickets = [one.ticket for one in fresh if one.ticket]
    with transaction(db):
        if file in ARTICLES:
            kept = [article.id for article in articles]
            removed = remove_articles([one.id for one in fresh], db=db, but=kept)
        else:
            removed = remove_solved_tickets([one.id for one in fresh if not one.ticket], db=db)
        remember(file, ((one.id, one.mark, one.dropped) for one in fresh), db=db)
        stored = put_some(articles or tickets, db=db) + Stored(unchanged=same)
    if file in ARTICLES:
        return ImportedExport(articles=stored, removed=removed)
    return ImportedExport(tickets=stored, removed=removed)


def _remove_gone(lines: Lines, db: Database) -> ImportedExport:
    file = _name(lines.path)
    remove = remove_articles if file in ARTICLES else remove_solved_tickets
    with transaction(db):
        forget(file, lines.gone, db=db)
        return ImportedExport(removed=remove(lines.gone, db=db))


def _plus(one: ImportedExport, other: ImportedExport) -> ImportedExport:
    return ImportedExport(
        one.articles + other.articles,
        one.tickets + other.tickets,
        one.removed + other.removed,
        other.dropped,
    )


def _name(path: Path) -> str:
    return "/".join(path.parts[-2:])
