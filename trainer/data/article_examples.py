"""Articles as examples: each section is asked as its title and answered by its text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.domain.example import Example
from backend.domain.passage import Article
from backend.intake.deduplication import groups, signatures_of
from backend.intake.language import language_of
from backend.intake.raw_records import ARTICLES, Task, lines_that_count, raw_files, refine
from trainer.data.corpus import read_articles, sections
from trainer.data.splits import Held


def pages_of(articles: Path | None, zoho: Path | None, dropped: Counter[str]) -> list[Article]:
    """The articles of a JSONL file and of an export folder."""
    found = read_articles(articles, dropped) if articles else []
    for path in raw_files(zoho, ARTICLES) if zoho else []:
        lines = lines_that_count(path)
        rows = tuple((id_, place, "") for id_, place in zip(lines.ids, lines.places, strict=True))
        for outcome in refine(Task(path, rows)):
            found += outcome.articles
            dropped.update([outcome.dropped] if outcome.dropped else [])
    return found


def section_examples(pages: Sequence[Article], dropped: Counter[str]) -> list[Example]:
    """One example for each section of these articles, without exact copies."""
    examples: dict[tuple[str, str], Example] = {}
    for page in pages:
        for part in sections(page):
            if (part.title, part.text) in examples:
                dropped["exact duplicate of an article's section"] += 1
                continue
            examples[part.title, part.text] = Example(
                question=part.title,
                answer=part.text,
                source=f"article:{page.id}#{part.number}",
                language=page.language or language_of(page.body, page.title),
                created=page.updated,
            )
    return list(examples.values())


def unlike_held_out(
    examples: Sequence[Example],
    signatures: npt.NDArray[np.uint32],
    held: Held,
    dropped: Counter[str],
) -> list[Example]:
    """The examples that ask nothing that a held-out ticket asks too: those would be learned."""
    out = [place for place, split in held.splits.items() if split != "train"]
    asked = signatures_of([example.question for example in examples])
    alike = {
        place - len(out)
        for group in groups(np.concatenate((signatures[out], asked)))
        if group[0] < len(out)
        for place in group
        if place >= len(out)
    }
    if alike:
        dropped["article's section that a held-out ticket asks for"] += len(alike)
    return [example for place, example in enumerate(examples) if place not in alike]
