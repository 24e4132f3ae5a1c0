"""Second half of `prepare`: rows with a split become examples with passages, part by part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from backend.domain.example import Example, Split
from backend.domain.prompt import estimate_tokens
from backend.privacy import generic, placeholders_in
from backend.privacy.detect import find
from backend.system.files import write_whole
from trainer.data.passages import Shelf, helpful, nearest, open_shelf
from trainer.data.rows import row_at
from trainer.data.splits import fraction


@dataclass(frozen=True)
class Drawing:
    """How passages are drawn; shares of the examples, and of those that get any."""

    seed: int
    passage_share: float
    helpful_share: float
    passages: int


@dataclass(frozen=True)
class Batch:
    """Rows to compose, where they stand, and the file to write their examples to."""

    rows: tuple[tuple[Path, int, Split], ...]
    ready: tuple[Example, ...]
    part: Path
    shelves: Path
    drawing: Drawing


def compose(batch: Batch) -> Path:
    """Writes the examples of a batch and what is to be counted. Runs in any process."""
    if not batch.part.exists():
        tallies: list[dict[str, Any]] = []
        lines: list[str] = []
        for example in _with_all_passages(batch):
            lines.append(example.to_json() + "\n")
            tallies.append(tally(example))
        write_whole(batch.part.with_suffix(".tally"), json.dumps(tallies).encode())
        write_whole(batch.part, "".join(lines).encode())
    return batch.part


def tally(example: Example) -> dict[str, Any]:
    """What the data card counts of one example."""
    asked = f"{example.question}\n{' '.join(one.text for one in example.passages)}"
    unknown = set(placeholders_in(example.answer)) - set(placeholders_in(asked))
    hits = Counter(span.label for text in (example.question, example.answer) for span in find(text))
    return {
        "split": example.split,
        "kind": example.source.partition(":")[0],
        "language": example.language,
        "question": estimate_tokens(example.question),
        "answer": estimate_tokens(example.answer),
        "passages": sum(estimate_tokens(one.text) for one in example.passages),
        "hits": dict(sorted(hits.items())),
        "placeholders": dict(
            sorted(Counter(_label(one) for one in placeholders_in(_both(example))).items())
        ),
        "unknown": bool(unknown),
    }


def _both(example: Example) -> str:
    return f"{example.question}\n{example.answer}"


def _label(placeholder: str) -> str:
    return placeholder.strip("[]").rstrip("0123456789").rstrip("_")


def _with_all_passages(batch: Batch) -> Iterator[Example]:
    shelves = [open_shelf(batch.shelves / name) for name in ("tickets", "articles")]
    for part, place, split in batch.rows:
        row = row_at(part, place)
        example = Example(
            question=row.question,
            answer=row.answer,
            source=row.source,
            language=row.language,
            created=row.created,
            split=split,
        )
        yield with_passages(example, shelves, batch.drawing)
    for example in batch.ready:
        yield with_passages(example, shelves, batch.drawing)


def with_passages(example: Example, shelves: Sequence[Shelf], drawing: Drawing) -> Example:
    """The example with passages, if it is drawn: one that helps, if drawn too, among others.

    Search alone finds the right passage too seldom for a model to learn that sources are worth
    reading, and if it were always there, the model would never learn to doubt them.
    """
    seed, source = drawing.seed, example.source
    if fraction(f"{seed}:passages:{source}") >= drawing.passage_share:
        return example
    own = source.replace("ticket:", "solved:")
    asked = generic(example.question)
    solved, articles = (nearest(asked, one, but=own, limit=drawing.passages) for one in shelves)
    found = [one for pair in zip_longest(solved, articles) for one in pair if one]
    helps = helpful(asked, generic(example.answer), shelves[0], but=own)
    if helps and fraction(f"{seed}:helpful:{source}") < drawing.helpful_share:
        place = int(fraction(f"{seed}:place:{source}") * 1.4)
        found = [one for one in found if one.key != helps.key]
        found.insert(place, helps)
    return replace(example, passages=tuple(found[: drawing.passages]))
