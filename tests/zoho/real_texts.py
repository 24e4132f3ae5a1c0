"""Real support texts out of ../shared/data, as conversations of one shape.

Read in place and never copied: what a local Zoho is filled with.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data"
Json = dict[str, Any]


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


def rows(name: str) -> Iterator[Json]:
    """The objects of a JSONL file under ../shared/data, also a gzipped one."""
    file = SHARED / name
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


@cache
def talks() -> tuple[Talk, ...]:
    """All conversations: raw threads and other languages first, then answered tickets."""
    return (
        *map(_raw_thread, rows("helpdesk/raw_threads_sample.jsonl")),
        *map(_cyrillic, rows("multilingual/tickets_cyrillic.jsonl")),
        *map(_answered, rows("multilingual/tickets_other_languages.jsonl")),
        *map(_answered, rows("helpdesk/tickets.jsonl")),
        *map(_answered, rows("helpdesk/tickets_extra.jsonl.gz")),
    )


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
