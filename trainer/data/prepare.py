"""First step: articles and solved tickets become examples, each in one split.

The same files, seed and versions give the same bytes, with any number of processes and however
often the run was stopped. What is dropped is counted in the data card, so that nobody has to guess
where rows went. Memory holds a few hundred bytes a ticket; texts go from disk to disk.

What `prepare` can be told: where rows come from, and what becomes of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput, BadSettings
from backend.domain.example import Example
from backend.domain.passage import Article, Passage, article_passages
from backend.domain.prompt import FORMAT
from backend.intake import raw_records
from backend.intake.raw_records import ARTICLES, TICKETS, raw_files
from backend.privacy import generic
from backend.system.files import sha256_of, whole_file
from backend.system.parallel import cut, in_processes
from backend.system.resources import processors
from trainer.data.article_examples import pages_of, section_examples, unlike_held_out
from trainer.data.compose import Batch, Drawing, compose
from trainer.data.data_card import DATA_CARD, data_card, write_card
from trainer.data.passages import write_shelf
from trainer.data.row_index import Light, lightened
from trainer.data.rows import (
    LINES,
    Piece,
    gather,
    line_count,
    pieces_of_export,
    pieces_of_lines,
    row_at,
)
from trainer.data.splits import Duplicates, Held, hold_out

__all__ = ["EXAMPLES", "VERSION", "Choices", "Sources", "prepare", "read_examples"]

EXAMPLES = "examples.jsonl"
VERSION = 3
"""Raised when the same input gives other examples."""

_WORK, _NOTE = ".prepare", "made_of.json"
_WORTH_PROCESSES = 500


Progress = Callable[[str, int, int], None]


def _unheard(stage: str, done: int, of: int) -> None:
    """Progress that nobody follows."""


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
    card = _run(asked, chosen, work, out, progress)
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


def _run(
    asked: Sources, choices: Choices, work: Path, out: Path, progress: Progress
) -> dict[str, Any]:
    dropped: Counter[str] = Counter()
    rows, signatures = lightened(_gathered(asked, work, progress), dropped)
    read = len(rows) + dropped.total()
    pages = pages_of(asked.articles, asked.zoho, dropped)
    sections = section_examples(pages, dropped) if choices.article_examples else []
    held = hold_out(
        rows,
        signatures,
        shares=(choices.golden_share, choices.validation_share),
        seed=choices.seed,
        rules=(choices.near_duplicates, choices.same_answers, len(sections)),
        dropped=dropped,
    )
    sections = unlike_held_out(sections, signatures, held, dropped)
    if not sections and "train" not in held.splits.values():
        raise BadInput("No ticket with a question and an answer is left to train on.")
    shelves = work / f"shelves-{sha256_of(work / _NOTE)[:12]}"
    write_shelf(_solved(rows, held), shelves / "tickets")
    write_shelf(_pages_as_passages(pages), shelves / "articles")
    drawing = Drawing(choices.seed, choices.passage_share, choices.helpful_share, choices.passages)
    composed = _composed(_batches(rows, held, sections, shelves, drawing), progress)
    counts: dict[str, Any] = {
        "prompt_format": FORMAT,
        "version": VERSION,
        "choices": asdict(choices),
        "rows_read": read,
    }
    counts["sources"] = {name: sha256_of(path) for name, path in asked.files().items()}
    counts["sha256"] = _joined(composed, out / EXAMPLES)
    card = data_card(composed, counts, dropped, held)
    write_card(card, out / DATA_CARD)
    return card


def _gathered(asked: Sources, work: Path, progress: Progress) -> list[Path]:
    pieces: list[Iterator[Piece]] = []
    total = 0
    if asked.zoho:
        files, found = pieces_of_export(asked.zoho, work)
        total += sum(map(len, files))
        pieces.append(found)
    for name, path in asked.files().items():
        kind = name.removeprefix("rated/").removesuffix(".jsonl")
        if kind in ("tickets", *RATED):
            total += line_count(path)
            pieces.append(pieces_of_lines(kind, path, work))
    parts: list[Path] = []
    workers = processors() if total >= _WORTH_PROCESSES else 1
    for part in in_processes(gather, chain(*pieces), processes=workers):
        parts.append(part)
        progress("cleaning", min(len(parts) * LINES, total), total)
    return parts


def _solved(rows: Sequence[Light], held: Held) -> Iterator[tuple[Passage, str]]:
    """The passages of tickets that are trained on, without anybody in them."""
    for place, split in held.splits.items():
        light = rows[place]
        if split == "train" and light.source.startswith("ticket:"):
            row = row_at(light.part, light.place)
            key = row.source.replace("ticket:", "solved:", 1)
            title, text, asked = (generic(one) for one in (row.title, row.answer, row.question))
            yield Passage(key, "solved", title, text, row.url), asked


def _pages_as_passages(pages: Sequence[Article]) -> Iterator[tuple[Passage, str]]:
    return ((passage, "") for page in pages for passage in article_passages(page))


def _batches(
    rows: Sequence[Light],
    held: Held,
    sections: Sequence[Example],
    shelves: Path,
    drawing: Drawing,
) -> list[Batch]:
    places = ((rows[at].part, rows[at].place, split) for at, split in held.splits.items())
    found = [(piece, ()) for piece in cut(places, LINES)]
    ready = [((), piece) for piece in cut(sections, LINES)]
    return [
        Batch(lines, examples, shelves.parent / f"composed-{number:05}.rows", shelves, drawing)
        for number, (lines, examples) in enumerate([*found, *ready])
    ]


def _composed(batches: Sequence[Batch], progress: Progress) -> list[Path]:
    parts: list[Path] = []
    workers = processors() if len(batches) * LINES >= _WORTH_PROCESSES else 1
    for part in in_processes(compose, batches, processes=workers):
        parts.append(part)
        progress("writing examples", len(parts), len(batches))
    return parts


def _joined(parts: Sequence[Path], path: Path) -> str:
    """Writes the parts into one file, whole or not at all; its SHA-256."""
    found = hashlib.sha256()
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        for part in parts:
            content = part.read_bytes()
            found.update(content)
            file.write(content)
    return found.hexdigest()


def _work_folder(out: Path, asked: Sources, choices: Choices) -> Path:
    """Where parts are kept; emptied if they belong to other files, choices or versions."""
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


RATED = ("examples", "ratings")


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


@dataclass(frozen=True)
class Sources:
    """Where rows come from: JSONL files, an export of Zoho, a folder that `export` wrote."""

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
            names = (*ARTICLES, *TICKETS)
            named |= {"/".join(one.parts[-2:]): one for one in raw_files(self.zoho, names)}
        if self.rated:
            rated = {f"rated/{one}.jsonl": self.rated / f"{one}.jsonl" for one in RATED}
            named |= {name: path for name, path in rated.items() if path.is_file()}
        return named
