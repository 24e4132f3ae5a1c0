"""The support texts that a local Zoho is filled with, as conversations of one shape.

Real ones out of the shared sets, read in place and never copied; where those are not, the texts of
the demo's help desk.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from tests.shared_sets import SHARED

DEMO = Path(__file__).resolve().parent.parent.parent / "demo" / "corpus"
Json = dict[str, Any]
_SAME_ARTICLE = 4
"""How often the demo's articles are repeated: a list of them is to have some pages."""


@dataclass(frozen=True)
class Turn:
    """One message: what the customer ("in") or an agent ("out") wrote."""

    direction: str
    text: str


@dataclass(frozen=True)
class Talk:
    """A question and what was said to it, oldest first."""

    subject: str
    created: str
    language: str
    turns: tuple[Turn, ...]


@cache
def talks() -> tuple[Talk, ...]:
    """All conversations: raw threads and other languages first, then answered tickets."""
    if not SHARED.exists():
        return tuple(_demo_talks())
    return (
        *map(_raw_thread, _rows(SHARED / "helpdesk/raw_threads_sample.jsonl")),
        *map(_cyrillic, _rows(SHARED / "multilingual/tickets_cyrillic.jsonl")),
        *map(_answered, _rows(SHARED / "multilingual/tickets_other_languages.jsonl")),
        *map(_answered, _rows(SHARED / "helpdesk/tickets.jsonl")),
        *map(_answered, _rows(SHARED / "helpdesk/tickets_extra.jsonl.gz")),
    )


def articles() -> Iterator[dict[str, Json]]:
    """Articles by language, all of them in English; first those that have no other."""
    if not SHARED.exists():
        yield from _demo_articles()
        return
    for row in _rows(SHARED / "helpdesk/kb/articles.jsonl"):
        yield {"en": row}
    parallel: dict[str, dict[str, Json]] = {}
    for row in _rows(SHARED / "multilingual/kb_letsencrypt_uk_ru_en.jsonl"):
        parallel.setdefault(row["id"], {})[row["lang"]] = row
    yield from parallel.values()


def answers() -> Iterator[tuple[str, str]]:
    """Questions with their answers, in several languages."""
    if not SHARED.exists():
        yield from ((row["title"], row["body"]) for row in _rows(DEMO / "articles.jsonl"))
        return
    for row in _rows(SHARED / "multilingual/faq_uk_ru_en.jsonl"):
        for language in ("uk", "ru", "en"):
            yield row["question"][language], row["answer"][language]


def _rows(file: Path) -> Iterator[Json]:
    """The objects of a JSONL file, also a gzipped one."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _raw_thread(row: Json) -> Talk:
    replies = [
        Turn("in" if reply["by"] == "asker" else "out", reply["text"]) for reply in row["replies"]
    ]
    return _talk(row, "en", replies)


def _cyrillic(row: Json) -> Talk:
    return _talk(row, row["lang"], [Turn("out", reply) for reply in row["replies"]])


def _answered(row: Json) -> Talk:
    return _talk(row, row.get("lang", "en"), [Turn("out", row["answer"])])


def _talk(row: Json, language: str, replies: list[Turn]) -> Talk:
    turns = (Turn("in", row["question"]), *replies)
    return Talk(row["subject"], row["created"], language, turns)


def _demo_talks() -> Iterator[Talk]:
    """Solved tickets, every third asked on about the same topic; after every tenth an open one."""
    solved, waiting = list(_rows(DEMO / "solved_tickets.jsonl")), _rows(DEMO / "open_tickets.jsonl")
    for number, row in enumerate(solved):
        replies = [Turn("out", row["answer"])]
        if number % 3 == 1:
            later = (other for other in solved[number + 1 :] if other["topic"] == row["topic"])
            other = next(later, row)
            replies += [Turn("in", other["question"]), Turn("out", other["answer"])]
        yield _talk(row, row["language"], replies)
        if number % 10 == 9:
            yield from (_talk(row, row["language"], []) for row in islice(waiting, 1))


def _demo_articles() -> Iterator[dict[str, Json]]:
    found = {row["id"]: row for row in _rows(DEMO / "articles.jsonl")}
    plain = [row for name, row in found.items() if row["language"] == "en"]
    for number in range(_SAME_ARTICLE):
        for row in plain:
            if f"{row['id']}-uk" not in found:
                yield {"en": row | {"id": f"{row['id']}-{number}"}}
    for row in plain:
        if other := found.get(f"{row['id']}-uk"):
            yield {"en": row, "uk": other}
