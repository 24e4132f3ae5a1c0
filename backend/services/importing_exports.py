"""A raw export of Zoho → articles and solved tickets that search finds.

Lines that have not changed since the last import are not read again, and each batch is saved
together with the note that it was read: an import that was interrupted goes on where it was. What
Zoho deleted, and what is no solved ticket any more, leaves the store and the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlite_utils import Database

from backend.cleaning.raw_folder import ARTICLES, TICKETS, Lines, lines_that_count, raw_files
from backend.cleaning.refining import Outcome, Task, refine
from backend.cleaning.side_by_side import cut, in_processes, usual_processes
from backend.store.database import transaction
from backend.store.knowledge import (
    Stored,
    put_some,
    remove_articles,
    remove_solved_tickets,
)
from backend.store.raw_lines import drops, forget, marks, remember, used
from backend.store.terms import recount_terms

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
    workers = processes or (usual_processes() if total >= _WORTH_PROCESSES else 1)
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
