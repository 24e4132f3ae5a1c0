"""Articles and solved tickets, kept with the passages that search finds in them.

A ticket keeps its numbered placeholders; its passage, which stands in prompts of other tickets,
has generic ones. The product's database has these tables among others; `open_knowledge` opens a
file that has nothing else, such as the trainer fills.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlite_utils import Database, Migrations

from backend.domain.passage import Article, SolvedTicket, article_passages, solved_passage
from backend.knowledge.lexical_index import TOKENIZER, Tokenizer, recount_terms
from backend.knowledge.ranking import term_weights
from backend.privacy import generic
from backend.system.database import open_migrated, transaction
from backend.system.processes import cut

BATCH = 500
_SEARCHED = ("title", "asked", "text")
_migrations = Migrations("knowledge")
Source = Article | SolvedTicket
Progress = Callable[[int], None]


def _unheard(done: int) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Stored:
    """How many things were new, how many had changed, and how many were there already."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Stored) -> Stored:
        return Stored(
            self.added + other.added,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )

    def __str__(self) -> str:
        return f"{self.added} added, {self.updated} updated, {self.unchanged} unchanged"


@_migrations()
def create_tables(db: Database) -> None:
    """Articles and solved tickets, cut into passages that full-text search finds."""
    db.execute("""
        CREATE TABLE articles (
            id TEXT PRIMARY KEY, title TEXT NOT NULL, summary TEXT NOT NULL, body TEXT NOT NULL,
            url TEXT NOT NULL, language TEXT NOT NULL, updated TEXT NOT NULL
        ) STRICT""")
    db.execute("""
        CREATE TABLE solved_tickets (
            id TEXT PRIMARY KEY, subject TEXT NOT NULL, question TEXT NOT NULL,
            answer TEXT NOT NULL, language TEXT NOT NULL, topic TEXT NOT NULL,
            url TEXT NOT NULL, created TEXT NOT NULL, cited TEXT NOT NULL
        ) STRICT""")
    db.execute("""
        CREATE TABLE passages (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('article', 'solved')), source_id TEXT NOT NULL,
            title TEXT NOT NULL, asked TEXT NOT NULL, text TEXT NOT NULL, url TEXT NOT NULL,
            weights TEXT NOT NULL
        ) STRICT""")
    db.execute("CREATE INDEX passages_source ON passages(kind, source_id)")
    db.table("passages").enable_fts(
        ["title", "asked", "text", "kind"], create_triggers=True, tokenize=TOKENIZER
    )
    db.execute("CREATE VIRTUAL TABLE passages_terms USING fts5vocab('passages_fts', 'row')")
    db.execute("""
        CREATE TABLE terms (
            term TEXT PRIMARY KEY, passages INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""")
    db.execute("CREATE INDEX articles_url ON articles(url)")


@_migrations()
def create_raw_lines(db: Database) -> None:
    """Which lines of an export were read, by a mark of their content, and what became of them."""
    db.execute("""
        CREATE TABLE raw_lines (
            file TEXT NOT NULL, id TEXT NOT NULL, mark TEXT NOT NULL, dropped TEXT NOT NULL,
            PRIMARY KEY (file, id)
        ) STRICT, WITHOUT ROWID""")


def open_knowledge(path: Path) -> Database:
    """A database of knowledge alone, made if need be. Raises what `open_migrated` raises."""
    return open_migrated(path, _migrations)


def put_articles(
    articles: Iterable[Article], *, db: Database, progress: Progress = _unheard
) -> Stored:
    """Save articles by their ids and cut those that are new or changed into passages.

    Saved in batches, so that others can write in between; doing it again changes nothing.
    `progress` hears after each batch how many are done.
    """
    return _put(articles, db, progress)


def put_solved_tickets(
    tickets: Iterable[SolvedTicket], *, db: Database, progress: Progress = _unheard
) -> Stored:
    """Save solved tickets by their ids; each is found by question and answer."""
    return _put(tickets, db, progress)


def put_some(sources: Sequence[Source], *, db: Database) -> Stored:
    """Save a few articles or a few tickets as one step; `recount_terms` must follow the last."""
    batch = {source.id: source for source in sources}
    with transaction(db):
        return _put_batch(list(batch.values()), db) if batch else Stored()


def solved_ticket_count(*, db: Database) -> int:
    """How many solved tickets there are."""
    return int(db.table("solved_tickets").count)


def solved_tickets(*, db: Database) -> list[SolvedTicket]:
    """All solved tickets, oldest first."""
    rows = db.query("SELECT * FROM solved_tickets ORDER BY created, id")
    return [SolvedTicket(**{**row, "cited": tuple(json.loads(row["cited"]))}) for row in rows]


def remove_articles(ids: Iterable[str], *, db: Database, but: Iterable[str] = ()) -> int:
    """Remove articles and their translations (`id:language`), except those named; how many."""
    wanted, kept = list(ids), set(but)
    rows = db.execute(
        """SELECT id FROM articles WHERE substr(id, 1, instr(id || ':', ':') - 1) IN
           (SELECT value FROM json_each(?))""",
        [json.dumps(wanted)],
    )
    return _remove("articles", "article", [row[0] for row in rows if row[0] not in kept], db)


def remove_solved_tickets(ids: Iterable[str], *, db: Database) -> int:
    """Remove solved tickets with what search finds in them; how many there were."""
    return _remove("solved_tickets", "solved", list(ids), db)


def marks_of_lines(file: str, *, db: Database) -> dict[str, str]:
    """The mark of each line of a file (`desk/tickets.jsonl`) that was read, by its record's id."""
    rows = db.execute("SELECT id, mark FROM raw_lines WHERE file = ?", [file])
    return dict(rows.fetchall())


def remember_lines(file: str, lines: Iterable[tuple[str, str, str]], *, db: Database) -> None:
    """Keep id, mark and the reason of a drop (or nothing) of lines that were read."""
    db.conn.executemany(
        "INSERT OR REPLACE INTO raw_lines (file, id, mark, dropped) VALUES (?, ?, ?, ?)",
        [(file, *line) for line in lines],
    )


def forget_lines(file: str, ids: Iterable[str], *, db: Database) -> None:
    """Forget lines whose records are gone."""
    db.execute(
        "DELETE FROM raw_lines WHERE file = ? AND id IN (SELECT value FROM json_each(?))",
        [file, json.dumps(list(ids))],
    )


def dropped_lines(*, db: Database) -> dict[str, int]:
    """How many records of all exports were dropped, by reason."""
    rows = db.execute(
        "SELECT dropped, count(*) FROM raw_lines WHERE dropped <> '' GROUP BY dropped ORDER BY 1"
    )
    return dict(rows.fetchall())


def kept_lines(file: str, ids: Iterable[str], *, db: Database) -> int:
    """How many of these records were not dropped."""
    found = db.execute(
        """SELECT count(*) FROM raw_lines WHERE file = ? AND dropped = '' AND id IN
           (SELECT value FROM json_each(?))""",
        [file, json.dumps(list(ids))],
    )
    return int(found.fetchone()[0])


def _put(sources: Iterable[Source], db: Database, progress: Progress) -> Stored:
    """Saves batch after batch; the last one and the new counts of terms are one step."""
    total = Stored()
    done = 0
    batches = cut(sources, BATCH)
    batch = next(batches, None)
    while batch:
        following = next(batches, None)
        with transaction(db):
            total += put_some(batch, db=db)
            if following is None and total.added + total.updated:
                recount_terms(db)
        done += len(batch)
        progress(done)
        batch = following
    return total


def _put_batch(batch: Sequence[Source], db: Database) -> Stored:
    table = "articles" if isinstance(batch[0], Article) else "solved_tickets"
    known = {
        row["id"]: row
        for row in db.query(
            f"SELECT * FROM {table} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            [json.dumps([source.id for source in batch])],
        )
    }
    changed = [source for source in batch if known.get(source.id) != _row(source)]
    if changed:
        columns = _row(changed[0])
        places = ", ".join(f":{column}" for column in columns)
        db.conn.executemany(
            f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608
            [_row(source) for source in changed],
        )
        _replace_passages(changed, db)
    updated = sum(source.id in known for source in changed)
    return Stored(len(changed) - updated, updated, len(batch) - len(changed))


def _row(source: Source) -> dict[str, Any]:
    row = asdict(source)
    if isinstance(source, SolvedTicket):
        row["cited"] = json.dumps(source.references)
    return row


def _replace_passages(sources: Sequence[Source], db: Database) -> None:
    rows = [row for source in sources for row in _passage_rows(source)]
    with closing(Tokenizer()) as tokenizer:
        terms = tokenizer.count_terms([row[column] for row in rows for column in _SEARCHED])
    counts = iter(terms)
    for row, *fields in zip(rows, counts, counts, counts, strict=True):
        row["weights"] = json.dumps(term_weights(*fields))
    db.conn.executemany(
        "DELETE FROM passages WHERE kind = ? AND source_id = ?",
        {(row["kind"], row["source_id"]) for row in rows},
    )
    db.conn.executemany(
        """INSERT INTO passages (key, kind, source_id, title, asked, text, url, weights)
           VALUES (:key, :kind, :source_id, :title, :asked, :text, :url, :weights)""",
        rows,
    )


def _passage_rows(source: Source) -> list[dict[str, Any]]:
    if isinstance(source, SolvedTicket):
        found = solved_passage(source)
        asked = generic(source.asked)
        passages = [replace(found, title=generic(found.title), text=generic(found.text))]
    else:
        asked, passages = "", article_passages(source)
    return [
        {
            "key": passage.key,
            "kind": passage.kind,
            "source_id": source.id,
            "title": passage.title,
            "asked": asked,
            "text": passage.text,
            "url": passage.url,
        }
        for passage in passages
    ]


def _remove(table: str, kind: str, ids: list[str], db: Database) -> int:
    wanted = json.dumps(ids)
    with transaction(db):
        db.execute(
            """DELETE FROM passages WHERE kind = ? AND source_id IN
               (SELECT value FROM json_each(?))""",
            [kind, wanted],
        )
        gone = db.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            [wanted],
        )
    return gone.rowcount
