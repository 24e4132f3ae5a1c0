"""Articles and solved tickets into the knowledge store, from JSONL files or an export of Zoho.

Files are all or nothing: they are read and checked to their ends before anything is saved. Of an
export only lines that have changed are read, and each batch is saved together with the note that it
was read: an import that was interrupted goes on where it was. What Zoho deleted, and what is no
solved ticket any more, leaves the store and the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.domain.passage import Article, SolvedTicket
from backend.intake.jsonl import Row, article_of, made_of, read_lines, solved_ticket_of
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
    dropped_lines,
    forget_lines,
    kept_lines,
    marks_of_lines,
    put_articles,
    put_solved_tickets,
    put_some,
    remember_lines,
    remove_articles,
    remove_solved_tickets,
)
from backend.system.database import transaction
from backend.system.processes import cut, in_processes
from backend.system.resources import processors

_LINES = 100  # in one piece of work
_WORTH_PROCESSES = 500
Source = TypeVar("Source", Article, SolvedTicket)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What an import did. `skipped` counts lines by the reason why nothing was made of them."""

    articles: Stored = field(default_factory=Stored)
    tickets: Stored = field(default_factory=Stored)
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"Articles: {self.articles}.", f"Solved tickets: {self.tickets}."]
        lines += [f"Skipped: {reason} ({count})." for reason, count in sorted(self.skipped.items())]
        return "\n".join(lines)


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
        lines += [f"Dropped: {reason} ({count})." for reason, count in self.dropped.items()]
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
    try:
        read_articles = _read(articles, article_of, skipped) if articles else []
        read_tickets = _read(tickets, solved_ticket_of, skipped) if tickets else []
    except BadInput as error:
        raise BadInput(f"{error} Nothing was imported.") from error
    read_tickets = [hide(ticket) for ticket in read_tickets]
    return Imported(
        articles=put_articles(read_articles, db=db, progress=progress),
        tickets=put_solved_tickets(
            read_tickets, db=db, progress=lambda count: progress(len(read_articles) + count)
        ),
        skipped=dict(skipped),
    )


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
    return _plus(imported, ImportedExport(dropped=dropped_lines(db=db)))


def as_it_is(ticket: SolvedTicket) -> SolvedTicket:
    """The ticket with all that stands in it, for texts that hold nobody's data."""
    return ticket


def _read(path: Path, make: Callable[[Row], Source | str], skipped: Counter[str]) -> list[Source]:
    sources: dict[str, Source] = {}
    useless: Counter[str] = Counter()
    for source in made_of(make, read_lines(path), path):
        if isinstance(source, str):
            useless[source] += 1
        else:
            useless["line with an id that a later line has too"] += source.id in sources
            sources[source.id] = source
    if useless and not sources:
        raise BadInput(
            f"{path} has nothing to import: {_listed(useless)}. Is it the right file? Articles "
            "need id, title and body; tickets need id, subject or question, and answer."
        )
    skipped.update(+useless)
    return list(sources.values())


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in counts.items() if count)


def _outcomes(lines: Lines, workers: int, db: Database) -> Iterator[list[Outcome]]:
    known = marks_of_lines(_name(lines.path), db=db)
    places = zip(lines.ids, lines.places, strict=True)
    rows = ((id_, place, known.get(id_, "")) for id_, place in places)
    tasks = (Task(lines.path, piece) for piece in cut(rows, _LINES))
    yield from in_processes(refine, tasks, processes=workers)


def _save(file: str, outcomes: Sequence[Outcome], db: Database) -> ImportedExport:
    fresh = [
        outcome for outcome in outcomes if outcome.articles or outcome.ticket or outcome.dropped
    ]
    read = {outcome.id for outcome in fresh}
    same = kept_lines(file, (outcome.id for outcome in outcomes if outcome.id not in read), db=db)
    articles = [article for outcome in fresh for article in outcome.articles]
    tickets = [outcome.ticket for outcome in fresh if outcome.ticket]
    with transaction(db):
        if file in ARTICLES:
            kept = [article.id for article in articles]
            removed = remove_articles(read, db=db, but=kept)
        else:
            unsolved = [outcome.id for outcome in fresh if not outcome.ticket]
            removed = remove_solved_tickets(unsolved, db=db)
        seen = ((outcome.id, outcome.mark, outcome.dropped) for outcome in fresh)
        remember_lines(file, seen, db=db)
        stored = put_some(articles or tickets, db=db) + Stored(unchanged=same)
    if file in ARTICLES:
        return ImportedExport(articles=stored, removed=removed)
    return ImportedExport(tickets=stored, removed=removed)


def _remove_gone(lines: Lines, db: Database) -> ImportedExport:
    file = _name(lines.path)
    remove = remove_articles if file in ARTICLES else remove_solved_tickets
    with transaction(db):
        forget_lines(file, lines.gone, db=db)
        return ImportedExport(removed=remove(lines.gone, db=db))


def _plus(before: ImportedExport, more: ImportedExport) -> ImportedExport:
    return ImportedExport(
        before.articles + more.articles,
        before.tickets + more.tickets,
        before.removed + more.removed,
        more.dropped,
    )


def _name(path: Path) -> str:
    return "/".join(path.parts[-2:])
