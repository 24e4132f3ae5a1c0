"""Articles as examples: each section is asked as its title and answered by its text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.passage import Article
from backend.intake.deduplication import groups, signatures_of
from backend.intake.jsonl import article_of, bad_line, read_lines, rows_of
from backend.intake.language import language_of
from backend.intake.raw_records import ARTICLES, Task, lines_that_count, raw_files, refine
from trainer.data.rows import Signatures
from trainer.data.splits import Splits

_HEADING = re.compile(r"^#{2,6}\s+(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A part of an article under one heading; the first part stands under the title."""

    number: int
    title: str
    text: str


def read_articles(file: Path | None, export: Path | None, dropped: Counter[str]) -> list[Article]:
    """The articles of a JSONL file and of an export folder."""
    articles = _of_file(file, dropped) if file else []
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
        for section in sections(article):
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


def unlike_held_out(
    examples: Sequence[Example], signatures: Signatures, splits: Splits, dropped: Counter[str]
) -> list[Example]:
    """The examples that ask nothing that a held-out ticket asks too: those would be learned."""
    held_out = [place for place, split in splits.by_place.items() if split != "train"]
    asked = signatures_of([example.question for example in examples])
    alike = {
        place - len(held_out)
        for group in groups(np.concatenate((signatures[held_out], asked)))
        if group[0] < len(held_out)
        for place in group
        if place >= len(held_out)
    }
    if alike:
        dropped["article's section that a held-out ticket asks for"] += len(alike)
    return [example for place, example in enumerate(examples) if place not in alike]


def sections(article: Article) -> list[Section]:
    """The parts of an article that have text, each with a title that names the article too."""
    pieces = _HEADING.split(article.body)
    headed = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    found: list[Section] = []
    for heading, text in headed:
        if text.strip():
            title = f"{article.title}: {heading}" if heading else article.title
            found.append(Section(len(found), title, text.strip()))
    return found


def _of_file(path: Path, dropped: Counter[str]) -> list[Article]:
    articles: dict[str, Article] = {}
    for number, row in rows_of(read_lines(path), path):
        try:
            article = article_of(row)
        except BadInput as error:
            raise bad_line(path, number, error) from error
        if isinstance(article, str):
            dropped[article] += 1
        else:
            articles[article.id] = article
    return list(articles.values())
