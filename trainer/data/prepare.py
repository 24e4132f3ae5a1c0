"""First step: articles and solved tickets become examples, each in one split.

The same files, seed and versions give the same bytes, with any number of processes and however
often the run was stopped. What is dropped is counted in the data card, so that nobody has to guess
where tickets went. Memory holds some hundred bytes a ticket; texts go from disk to disk.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from backend.domain.errors import BadInput, BadSettings
from backend.domain.example import Example
from backend.domain.passage import SolvedTicket
from backend.domain.prompt import FORMAT
from backend.intake import raw_records
from backend.intake.raw_records import ARTICLES, TICKETS, raw_files
from backend.system.files import sha256_of, whole_file
from backend.system.processes import cut
from backend.system.resources import processors
from trainer.data.compose import (
    Batch,
    Drawing,
    Knowledge,
    compose_all,
    composed_lines,
    fill,
    tallies_of,
)
from trainer.data.data_card import DATA_CARD, data_card, write_card
from trainer.data.rows import (
    LINES,
    RATED,
    Pieces,
    TicketSummary,
    clean,
    open_rows,
    pieces_of_export,
    pieces_of_lines,
    read_articles,
    read_summaries,
    read_tickets,
    section_examples,
)
from trainer.data.splits import Duplicates, SplitRules, Splits, split_tickets, unlike_held_out

EXAMPLES = "examples.jsonl"
VERSION = 4
"""Raised when the same input gives other examples."""
_WORK, _NOTE, _ROWS = ".prepare", "made_of.json", "rows.db"
_KNOWLEDGE, _LENGTHS = "knowledge.db", "lengths.npy"
_WORTH_PROCESSES = 500
Progress = Callable[[str, int, int], None]


def _unheard(stage: str, done: int, of: int) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True)
class Choices:
    """What `prepare` can be told; the sentence under a field is its help on the command line."""

    seed: int = 1
    """Draws splits and passages."""
    golden_share: float = 0.05
    """Share of the tickets, the newest, kept for the last measurement."""
    validation_share: float = 0.05
    """Share of the other tickets, kept to watch the training."""
    passage_share: float = 0.6
    """Share of the examples that get passages into their prompt."""
    helpful_share: float = 0.7
    """Share of these, with a passage that has about the answer."""
    passages: int = 3
    """Passages at most in one prompt."""
    article_examples: bool = True
    """Whether articles are examples too, or only passages."""
    near_duplicates: Duplicates = "drop"
    """Of tickets asked alike keep the best, or keep all of them in one split."""
    same_answers: int = 20
    """Tickets that may have the same answer word for word."""

    def __post_init__(self) -> None:
        for name in ("golden_share", "validation_share", "passage_share", "helpful_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSettings(f"{name} is a share from 0 to 1, not {getattr(self, name)}.")
        if self.near_duplicates not in ("drop", "together"):
            raise BadSettings(f"near_duplicates is drop or together, not {self.near_duplicates}.")
        if self.passages < 0:
            raise BadSettings(f"passages cannot be below 0; it is {self.passages}.")
        if self.same_answers < 1:
            raise BadSettings(f"same_answers is at least 1, not {self.same_answers}.")

    @property
    def rules(self) -> SplitRules:
        """How tickets are parted."""
        return SplitRules(
            seed=self.seed,
            golden_share=self.golden_share,
            validation_share=self.validation_share,
            near_duplicates=self.near_duplicates,
            same_answers=self.same_answers,
        )

    @property
    def drawing(self) -> Drawing:
        """How passages are drawn."""
        return Drawing(self.seed, self.passage_share, self.helpful_share, self.passages)


@dataclass(frozen=True)
class Sources:
    """Where tickets come from: JSONL files, an export of Zoho, a folder that `export` wrote."""

    articles: Path | None = None
    tickets: Path | None = None
    zoho: Path | None = None
    rated: Path | None = None

    def __post_init__(self) -> None:
        if not (self.articles or self.tickets or self.zoho or self.rated):
            raise BadSettings(
                "There is nothing to prepare. Give --tickets FILE (and --articles FILE), "
                "--zoho DIR, or --rated DIR."
            )

    def files(self) -> dict[str, Path]:
        """Each file that is read, by a name that does not tell where it lies."""
        found = {"articles": self.articles, "tickets": self.tickets}
        named = {name: path for name, path in found.items() if path}
        if self.zoho:
            paths = raw_files(self.zoho, (*ARTICLES, *TICKETS))
            named |= {"/".join(path.parts[-2:]): path for path in paths}
        if self.rated:
            rated = {f"rated/{name}.jsonl": self.rated / f"{name}.jsonl" for name in RATED}
            named |= {name: path for name, path in rated.items() if path.is_file()}
        return named


def prepare(
    *,
    out: Path,
    articles: Path | None = None,
    tickets: Path | None = None,
    sources: Sources | None = None,
    choices: Choices | None = None,
    progress: Progress = _unheard,
) -> dict[str, Any]:
    """Writes `examples.jsonl` and the data card to `out` and returns the card.

    What was worked out is kept in `out/.prepare` until the end, so that a run that was stopped goes
    on where it was. Raises BadInput if nothing is left to train on.
    """
    asked = sources or Sources(articles, tickets)
    chosen = choices or Choices()
    for path in asked.files().values():
        if not path.is_file():
            raise BadInput(f"{path} cannot be read: No such file or directory.")
    work = _work_folder(out, asked, chosen)
    with closing(open_rows(work / _ROWS)) as db:
        card = _run(asked, chosen, db, out, progress)
    shutil.rmtree(work)
    return card


def read_examples(path: Path) -> list[Example]:
    """The examples of a file. Raises BadInput if it cannot be read or has none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # not at U+2028, which texts have
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}. `python -m trainer prepare` writes it."
        ) from error
    examples = [Example.from_json(line) for line in lines if line.strip()]
    if not examples:
        raise BadInput(f"{path} has no examples. `python -m trainer prepare` writes them.")
    return examples


def _work_folder(out: Path, asked: Sources, choices: Choices) -> Path:
    """Where work is kept; emptied if it belongs to other files, choices or versions."""
    work = out / _WORK
    key = json.dumps(
        {
            "files": {name: sha256_of(path) for name, path in asked.files().items()},
            "choices": asdict(choices),
            "versions": [VERSION, raw_records.VERSION, FORMAT],
        },
        sort_keys=True,
    )
    note = work / _NOTE
    if work.exists() and not (note.is_file() and note.read_text(encoding="utf-8") == key):
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    note.write_text(key, encoding="utf-8")
    return work


def _run(
    asked: Sources, choices: Choices, db: Database, out: Path, progress: Progress
) -> dict[str, Any]:
    dropped: Counter[str] = Counter()
    _clean(asked, db, progress)
    tickets, signatures = read_summaries(db, dropped)
    read = len(tickets) + dropped.total()
    articles = read_articles(asked.articles, asked.zoho, dropped)
    sections = section_examples(articles, dropped) if choices.article_examples else []
    splits = split_tickets(
        tickets,
        signatures,
        rules=choices.rules,
        article_examples=len(sections),
        dropped=dropped,
    )
    sections = unlike_held_out(sections, signatures, splits, dropped)
    if not sections and "train" not in splits.by_place.values():
        raise BadInput("No ticket with a question and an answer is left to train on.")
    work = out / _WORK
    knowledge = Knowledge(work / _KNOWLEDGE, work / _LENGTHS)
    fill(knowledge, articles=articles, tickets=_trained_on(tickets, splits, db))
    _compose(_batches(tickets, splits, sections, knowledge, choices.drawing), db, progress)
    facts: dict[str, Any] = {
        "prompt_format": FORMAT,
        "version": VERSION,
        "choices": asdict(choices),
        "rows_read": read,
        "sources": {name: sha256_of(path) for name, path in asked.files().items()},
        "sha256": _write_examples(composed_lines(db), out / EXAMPLES),
    }
    card = data_card(tallies_of(db), facts, dropped, splits)
    write_card(card, out / DATA_CARD)
    return card


def _clean(asked: Sources, db: Database, progress: Progress) -> None:
    work = pieces_of_export(asked.zoho) if asked.zoho else Pieces()
    for name, path in asked.files().items():
        kind = name.removeprefix("rated/").removesuffix(".jsonl")
        if kind in ("tickets", *RATED):
            work += pieces_of_lines(kind, path)
    for done in clean(work.pieces, db=db, processes=_processes(work.lines)):
        progress("cleaning", min(done * LINES, work.lines), work.lines)


def _trained_on(
    tickets: Sequence[TicketSummary], splits: Splits, db: Database
) -> Iterator[SolvedTicket]:
    """The solved tickets that may be quoted: no answer that is held out."""
    ids = (
        tickets[place].id
        for place, split in splits.by_place.items()
        if split == "train" and tickets[place].source.startswith("ticket:")
    )
    for some in cut(ids, LINES):
        yield from (ticket for _, _, ticket in read_tickets(some, db=db))


def _batches(
    tickets: Sequence[TicketSummary],
    splits: Splits,
    sections: Sequence[Example],
    knowledge: Knowledge,
    drawing: Drawing,
) -> list[Batch]:
    rows = knowledge.database.with_name(_ROWS)
    ids = ((tickets[place].id, split) for place, split in splits.by_place.items())
    pieces = [(some, ()) for some in cut(ids, LINES)] + [
        ((), some) for some in cut(sections, LINES)
    ]
    return [
        Batch(number, rows, knowledge, drawing, tickets=of_tickets, examples=of_articles)
        for number, (of_tickets, of_articles) in enumerate(pieces)
    ]


def _compose(batches: Sequence[Batch], db: Database, progress: Progress) -> None:
    workers = _processes(len(batches) * LINES)
    for done in compose_all(batches, db=db, processes=workers):
        progress("writing examples", done, len(batches))


def _processes(lines: int) -> int:
    return processors() if lines >= _WORTH_PROCESSES else 1


def _write_examples(pieces: Iterable[str], path: Path) -> str:
    """Writes the examples into one file, whole or not at all; its SHA-256."""
    found = hashlib.sha256()
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        for piece in pieces:
            content = piece.encode()
            found.update(content)
            file.write(content)
    return found.hexdigest()
