"""First half of `prepare`: every source becomes tickets without personal data, kept in a database.

Work is done in pieces by several processes and kept piece by piece, so that a run that was stopped
goes on with the next one. Of each ticket only a summary comes into memory, some three hundred bytes
and a signature; its texts stay on the disk. Articles are few and stay in memory: each section is
asked as its title and answered by its text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.passage import Article, SolvedTicket
from backend.intake.deduplication import PERMUTATIONS, signature
from backend.intake.jsonl import (
    Line,
    Row,
    article_of,
    made_of,
    read_lines,
    solved_ticket_of,
    text_in,
)
from backend.intake.language import language_of
from backend.intake.raw_records import (
    ARTICLES,
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
from backend.system.database import connect, transaction
from backend.system.processes import cut, in_processes

LINES = 200  # in one piece
RATED = ("examples", "ratings")
"""The files of a folder that the backend's `export` wrote, without their ending."""
TRUST = ("ticket", "rated", "sent", "ideal")
"""Where an answer comes from, the most trusted last: of near duplicates the best one stays."""
_HEADING = re.compile(r"^#{2,6}\s+(.+?)\s*$", re.MULTILINE)
Signatures = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class PreparedTicket:
    """A solved ticket, or a rated reply, that may be trained on; or why it is dropped.

    `source` is as in examples: `ticket:17`. The hashes are equal for texts of the same words.
    """

    source: str
    dropped: str = ""
    ticket: SolvedTicket | None = None
    customer: str = ""
    asked_hash: str = ""
    answer_hash: str = ""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class TicketSummary:
    """What is known of a prepared ticket while splits are made; `id` is its place in the table."""

    id: int
    source: str
    customer: str
    created: str
    trust: int
    asked_hash: str
    answer_hash: str

    @property
    def age(self) -> tuple[str, str]:
        """A key by which tickets go from old to new, always in the same order."""
        return self.created, self.source


@dataclass(frozen=True)
class _Section:
    """A part of an article under one heading; the first part stands under the title."""

    number: int
    title: str
    text: str


@dataclass(frozen=True)
class Piece:
    """Some lines of one file: of an export by their places, of JSONL as they are."""

    name: str
    path: Path
    kind: str
    lines: tuple[Line, ...] = ()
    task: Task | None = None


@dataclass(frozen=True)
class Pieces:
    """The work there is: how many lines in all, and all of them in pieces."""

    lines: int = 0
    pieces: Iterable[Piece] = field(default=())

    def __add__(self, more: Pieces) -> Pieces:
        return Pieces(self.lines + more.lines, chain(self.pieces, more.pieces))


def pieces_of_export(folder: Path) -> Pieces:
    """The tickets of an export folder."""
    files = [lines_that_count(path) for path in raw_files(folder, TICKETS)]
    return Pieces(sum(map(len, files)), chain.from_iterable(map(_pieces_of_raw, files)))


def pieces_of_lines(kind: str, path: Path) -> Pieces:
    """A JSONL file, also a gzipped one: `tickets`, or one of those that are rated."""
    pieces = (
        Piece(f"{kind}-{number:05}", path, kind, lines=lines)
        for number, lines in enumerate(cut(read_lines(path), LINES))
    )
    return Pieces(sum(1 for _ in read_lines(path)), pieces)


def open_rows(path: Path) -> Database:
    """The database of prepared tickets and, later, of the examples that are made of them."""
    db = connect(path)
    db.execute("CREATE TABLE IF NOT EXISTS pieces (name TEXT PRIMARY KEY) STRICT")
    db.execute("""
        CREATE TABLE IF NOT EXISTS tickets (
            id INTEGER PRIMARY KEY, source TEXT NOT NULL, dropped TEXT NOT NULL,
            customer TEXT NOT NULL, asked_hash TEXT NOT NULL, answer_hash TEXT NOT NULL,
            signature BLOB NOT NULL, subject TEXT NOT NULL, question TEXT NOT NULL,
            answer TEXT NOT NULL, language TEXT NOT NULL, topic TEXT NOT NULL, url TEXT NOT NULL,
            created TEXT NOT NULL, cited TEXT NOT NULL
        ) STRICT""")
    db.execute("""
        CREATE TABLE IF NOT EXISTS batches (
            number INTEGER PRIMARY KEY, lines TEXT NOT NULL, tallies TEXT NOT NULL
        ) STRICT""")
    return db


def clean(pieces: Iterable[Piece], *, db: Database, processes: int) -> Iterator[int]:
    """Keeps the tickets of each piece, unless that was done before; how many pieces are done."""
    known = {name for (name,) in db.execute("SELECT name FROM pieces")}
    left = (piece for piece in pieces if piece.name not in known)
    for done, (name, tickets) in enumerate(
        in_processes(tickets_of, left, processes=processes), start=len(known) + 1
    ):
        with transaction(db):
            db.execute("INSERT INTO pieces (name) VALUES (?)", [name])
            _keep(tickets, db)
        yield done


def tickets_of(piece: Piece) -> tuple[str, list[PreparedTicket]]:
    """The name of a piece and what became of its lines. Runs in any process."""
    if piece.task:
        return piece.name, [_of_outcome(outcome) for outcome in refine(piece.task)]
    made = made_of(_READERS[piece.kind], piece.lines, piece.path)
    return piece.name, [ticket for ticket in made if ticket]


def read_summaries(db: Database, dropped: Counter[str]) -> tuple[list[TicketSummary], Signatures]:
    """What is to be known of all tickets, with their MinHash signatures.

    Raises BadInput if two tickets have one id but not the same words.
    """
    counts = db.execute("SELECT dropped, count(*) FROM tickets WHERE dropped <> '' GROUP BY 1")
    dropped.update(dict(counts.fetchall()))
    summaries: list[TicketSummary] = []
    signatures = bytearray()
    for row in db.execute(
        """SELECT id, source, customer, created, asked_hash, answer_hash, signature
           FROM tickets WHERE dropped = '' ORDER BY id"""
    ):
        id_, source, customer, created, asked_hash, answer_hash, marks = row
        summaries.append(
            TicketSummary(id_, source, customer, created, _trust(source), asked_hash, answer_hash)
        )
        signatures += marks
    _refuse_equal_ids(summaries)
    return summaries, np.frombuffer(signatures, dtype="<u4").reshape(-1, PERMUTATIONS)


def read_tickets(ids: Sequence[int], *, db: Database) -> Iterator[tuple[int, str, SolvedTicket]]:
    """The id, source and ticket of the rows with these ids, in the order of the ids."""
    rows = db.query(
        """SELECT id, source, subject, question, answer, language, topic, url, created, cited
           FROM tickets WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id""",
        [json.dumps(ids)],
    )
    for row in rows:
        id_, source = int(row.pop("id")), str(row.pop("source"))
        cited = tuple(json.loads(row.pop("cited")))
        yield id_, source, SolvedTicket(id=source.removeprefix("ticket:"), cited=cited, **row)


def read_articles(file: Path | None, export: Path | None, dropped: Counter[str]) -> list[Article]:
    """The articles of a JSONL file and of an export folder."""
    articles = _articles_of_file(file, dropped) if file else []
    for path in raw_files(export, ARTICLES) if export else []:
        lines = lines_that_count(path)
        rows = tuple((id_, place, "") for id_, place in zip(lines.ids, lines.places, strict=True))
        for outcome in refine(Task(path, rows)):
            articles += outcome.articles
            dropped.update([outcome.dropped] if outcome.dropped else [])
    return articles


def section_examples(articles: Sequence[Article], dropped: Counter[str]) -> list[Example]:
    """One example for each section of these articles, without exact copies."""
    examples: dict[tuple[str, str], Example] = {}
    for article in articles:
        for section in _sections(article):
            if (section.title, section.text) in examples:
                dropped["exact duplicate of an article's section"] += 1
                continue
            examples[section.title, section.text] = Example(
                question=section.title,
                answer=section.text,
                source=f"article:{article.id}#{section.number}",
                language=article.language or language_of(article.body, article.title),
                created=article.updated,
            )
    return list(examples.values())


def _pieces_of_raw(lines: Lines) -> Iterator[Piece]:
    name = "-".join(lines.path.parts[-2:]).removesuffix(".jsonl")
    rows = ((id_, place, "") for id_, place in zip(lines.ids, lines.places, strict=True))
    for number, piece in enumerate(cut(rows, LINES)):
        yield Piece(f"{name}-{number:05}", lines.path, "raw", task=Task(lines.path, piece))


def _keep(tickets: Sequence[PreparedTicket], db: Database) -> None:
    db.conn.executemany(
        f"INSERT INTO tickets ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})",  # noqa: S608
        [_values(prepared) for prepared in tickets],
    )


_TICKET_COLUMNS = ("subject", "question", "answer", "language", "topic", "url", "created")
_COLUMNS = (
    *("source", "dropped", "customer", "asked_hash", "answer_hash", "signature"),
    *_TICKET_COLUMNS,
    "cited",
)


def _values(prepared: PreparedTicket) -> list[object]:
    ticket = prepared.ticket
    return [
        prepared.source,
        prepared.dropped,
        prepared.customer,
        prepared.asked_hash,
        prepared.answer_hash,
        prepared.signature,
        *(getattr(ticket, column) if ticket else "" for column in _TICKET_COLUMNS),
        json.dumps(ticket.cited if ticket else ()),
    ]


def _of_outcome(outcome: Outcome) -> PreparedTicket:
    if outcome.ticket is None:
        return PreparedTicket(f"ticket:{outcome.id}", dropped=outcome.dropped)
    return _of_ticket(f"ticket:{outcome.id}", outcome.ticket, outcome.customer)


def _of_ticket(source: str, ticket: SolvedTicket, customer: str) -> PreparedTicket:
    language = ticket.language or language_of(ticket.question, ticket.subject, ticket.answer)
    return PreparedTicket(
        source=source,
        ticket=replace(ticket, language=language),
        customer=customer,
        asked_hash=_words_hash(ticket.asked),
        answer_hash=_words_hash(ticket.answer),
        signature=signature(ticket.asked).astype("<u4").tobytes(),
    )


def _ticket_row(row: Row) -> PreparedTicket:
    found = solved_ticket_of(row)
    if isinstance(found, str):
        return PreparedTicket(f"ticket:{row['id']}", dropped=found)
    known = row.get("customer") or row.get("contact")
    customer = pseudonym(known if isinstance(known, str) else "")
    return _of_ticket(f"ticket:{found.id}", redacted(found), customer)


def _example_row(row: Row) -> PreparedTicket:
    """What the backend exported: tickets, sent replies, ideal answers, excellent candidates."""
    example = Example(
        question=text_in(row, "question"),
        answer=text_in(row, "answer"),
        source=text_in(row, "source"),
        language=text_in(row, "language"),
        created=text_in(row, "created"),
    )
    ticket = SolvedTicket(
        id=example.source,
        question=example.question,
        answer=example.answer,
        language=example.language,
        created=example.created,
    )
    return _of_ticket(example.source, redacted(ticket), "")


def _rating_row(row: Row) -> PreparedTicket | None:
    """A rater's ideal answer; other ratings are no examples."""
    if not (text_in(row, "ideal_answer") and text_in(row, "question")):
        return None
    source = f"ideal:{row.get('id')}"
    return _example_row({**row, "answer": row["ideal_answer"], "source": source})


_READERS: Mapping[str, Callable[[Row], PreparedTicket | None]] = {
    "tickets": _ticket_row,
    "examples": _example_row,
    "ratings": _rating_row,
}


def _words_hash(text: str) -> str:
    """Equal for texts of the same words, whatever the white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:20]


def _trust(source: str) -> int:
    kind = source.partition(":")[0]
    return TRUST.index(kind) if kind in TRUST else 0


def _refuse_equal_ids(summaries: Sequence[TicketSummary]) -> None:
    words: dict[str, tuple[str, str]] = {}
    often = [
        summary.source
        for summary in summaries
        if words.setdefault(summary.source, _words(summary)) != _words(summary)
        and summary.source.startswith("ticket:")
    ]
    if often:
        raise BadInput(
            f"There are {len(often)} ids that stand for several tickets, "
            f"{often[0].removeprefix('ticket:')} among them. Splits go by id, so each ticket needs "
            "its own."
        )


def _words(summary: TicketSummary) -> tuple[str, str]:
    return summary.asked_hash, summary.answer_hash


def _articles_of_file(path: Path, dropped: Counter[str]) -> list[Article]:
    articles: dict[str, Article] = {}
    for article in made_of(article_of, read_lines(path), path):
        if isinstance(article, str):
            dropped[article] += 1
        else:
            articles[article.id] = article
    return list(articles.values())


def _sections(article: Article) -> list[_Section]:
    """The parts of an article that have text, each with a title that names the article too."""
    pieces = _HEADING.split(article.body)
    headed = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    found: list[_Section] = []
    for heading, text in headed:
        if text.strip():
            title = f"{article.title}: {heading}" if heading else article.title
            found.append(_Section(len(found), title, text.strip()))
    return found
