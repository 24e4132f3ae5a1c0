"""Second half of `prepare`: tickets with a split become examples with passages, batch by batch.

The passages are found by serving's own search, in a knowledge database of what is trained on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database

from backend.domain.example import Example, Split
from backend.domain.passage import Article, Passage, SolvedTicket
from backend.domain.prompt import estimate_tokens
from backend.knowledge.lexical_index import merge_index
from backend.knowledge.ranking import ARTICLE_THRESHOLD, Found, Search, passage_lengths
from backend.knowledge.store import open_knowledge, put_articles, put_solved_tickets
from backend.privacy import generic, placeholders_in
from backend.privacy.detect import find
from backend.system.database import connect, transaction
from backend.system.files import whole_file
from backend.system.processes import in_processes
from trainer.data.rows import read_tickets
from trainer.data.splits import fraction

_ALIKE = 0.5  # shared words of all words
_STEM = 6  # Ukrainian endings differ by case; the first letters of a word do not
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Drawing:
    """How passages are drawn; shares of the examples, and of those that get any."""

    seed: int
    passage_share: float
    helpful_share: float
    passages: int


@dataclass(frozen=True)
class Knowledge:
    """Where search looks: a database, and the lengths that `passage_lengths` worked out of it."""

    database: Path
    lengths: Path


@dataclass(frozen=True)
class Batch:
    """What to compose: tickets by their ids in the database of rows, or examples as they are."""

    number: int
    rows: Path
    knowledge: Knowledge
    drawing: Drawing
    tickets: tuple[tuple[int, Split], ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Composed:
    """The lines that a batch adds to `examples.jsonl`, and what the data card counts of each."""

    number: int
    lines: str
    tallies: str


def fill(
    knowledge: Knowledge, *, articles: Iterable[Article], tickets: Iterable[SolvedTicket]
) -> None:
    """Puts articles and tickets where search looks, unless that was done before."""
    if knowledge.lengths.exists():
        return
    db = open_knowledge(knowledge.database)
    with closing(db):
        put_articles(articles, db=db)
        put_solved_tickets(tickets, db=db)
        merge_index(db)
        lengths = np.array(passage_lengths(db))
    with whole_file(knowledge.lengths) as unfinished, unfinished.open("wb") as file:
        np.save(file, lengths)


def compose_all(batches: Iterable[Batch], *, db: Database, processes: int) -> Iterator[int]:
    """Keeps the examples of each batch, unless that was done before; how many batches are done."""
    known = {number for (number,) in db.execute("SELECT number FROM batches")}
    left = (batch for batch in batches if batch.number not in known)
    for done, composed in enumerate(
        in_processes(compose, left, processes=processes), start=len(known) + 1
    ):
        with transaction(db):
            db.execute(
                "INSERT INTO batches (number, lines, tallies) VALUES (?, ?, ?)",
                [composed.number, composed.lines, composed.tallies],
            )
        yield done


def compose(batch: Batch) -> Composed:
    """The examples of a batch and what is to be counted of them. Runs in any process."""
    tallies: list[dict[str, Any]] = []
    lines: list[str] = []
    with (
        closing(connect(batch.knowledge.database)) as db,
        closing(Search(db, lengths=np.load(batch.knowledge.lengths, mmap_mode="r"))) as search,
    ):
        for example in _without_passages(batch):
            complete = with_passages(example, search, batch.drawing)
            lines.append(complete.to_json() + "\n")
            tallies.append(tally(complete))
    return Composed(batch.number, "".join(lines), json.dumps(tallies))


def composed_lines(db: Database) -> Iterator[str]:
    """What `examples.jsonl` is to hold, piece by piece."""
    return (lines for (lines,) in db.execute("SELECT lines FROM batches ORDER BY number"))


def tallies_of(db: Database) -> Iterator[dict[str, Any]]:
    """What the data card counts of each example."""
    for (tallies,) in db.execute("SELECT tallies FROM batches ORDER BY number"):
        yield from json.loads(tallies)


def with_passages(example: Example, search: Search, drawing: Drawing) -> Example:
    """The example with passages, if it is drawn: one that helps, if drawn too, among others.

    Search alone finds the right passage too seldom for a model to learn that sources are worth
    reading, and if it were always there, the model would never learn to doubt them.
    """
    seed, source = drawing.seed, example.source
    if not drawing.passages or fraction(f"{seed}:passages:{source}") >= drawing.passage_share:
        return example
    found = _without_itself(
        search.find(example.question, exclude_source=source.removeprefix("ticket:")), source
    )
    each = (drawing.passages + 1) // 2
    passages = found.best(articles=each, solved=each, threshold=ARTICLE_THRESHOLD)
    if fraction(f"{seed}:helpful:{source}") < drawing.helpful_share:
        place = int(fraction(f"{seed}:place:{source}") * 1.4)
        passages = _with_helpful(passages, found, example.answer, place)
    return replace(example, passages=tuple(passages[: drawing.passages]))


def tally(example: Example) -> dict[str, Any]:
    """What the data card counts of one example."""
    asked = f"{example.question}\n{' '.join(passage.text for passage in example.passages)}"
    unknown = set(placeholders_in(example.answer)) - set(placeholders_in(asked))
    hits = Counter(span.label for text in (example.question, example.answer) for span in find(text))
    placeholders = placeholders_in(f"{example.question}\n{example.answer}")
    return {
        "split": example.split,
        "kind": example.source.partition(":")[0],
        "language": example.language,
        "question": estimate_tokens(example.question),
        "answer": estimate_tokens(example.answer),
        "passages": sum(estimate_tokens(passage.text) for passage in example.passages),
        "hits": dict(sorted(hits.items())),
        "placeholders": dict(sorted(Counter(map(_label, placeholders)).items())),
        "unknown": bool(unknown),
    }


def _without_passages(batch: Batch) -> Iterator[Example]:
    splits = dict(batch.tickets)
    with closing(connect(batch.rows)) as db:
        for id_, source, ticket in read_tickets(list(splits), db=db):
            yield Example(
                question=ticket.asked,
                answer=ticket.answer,
                source=source,
                language=ticket.language,
                created=ticket.created,
                split=splits[id_],
            )
    yield from batch.examples


def _without_itself(found: Found, source: str) -> Found:
    """What was found without the passages of the article that the example is a section of."""
    article = source.rpartition("#")[0] + "#"
    kept = tuple(passage for passage in found.articles if not passage.key.startswith(article))
    return replace(found, articles=kept) if source.startswith("article:") else found


def _with_helpful(passages: list[Passage], found: Found, answer: str, place: int) -> list[Passage]:
    """The passages with, at this place, the first one that says about what the answer says."""
    wanted = _stems(generic(answer))
    helpful = next((hit for hit in found.solved if _alike(_stems(hit.text), wanted)), None)
    if helpful is None:
        return passages
    others = [passage for passage in passages if passage.key != helpful.key]
    return [*others[:place], helpful, *others[place:]]


def _alike(text: set[str], answer: set[str]) -> bool:
    shared = len(text & answer)
    return shared > 0 and shared >= _ALIKE * len(text | answer)


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.lower())}


def _label(placeholder: str) -> str:
    return placeholder.strip("[]").rstrip("0123456789").rstrip("_")
