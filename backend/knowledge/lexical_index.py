"""Words as search compares them, and in how many passages each stands.

FTS5 itself cuts texts into words, in a small database in memory, so that questions and passages
are read by exactly the rules of the index. Its Porter stemmer knows English; words in Cyrillic
lose the endings of `languages/` here and are looked up as prefixes.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlite_utils import Database

from backend.system.languages import either, patterns, read_languages, together

_PLAIN = "unicode61 remove_diacritics 2"
_STEMMED = f"porter {_PLAIN}"  # as in the migration that makes passages_fts
_SHORTEST_STEM = 4
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")


@dataclass(frozen=True)
class EndingWords:
    """The keys of `languages/*.toml`: what a Cyrillic word loses before it is looked up."""

    reflexive_endings: tuple[str, ...] = patterns()
    """Cut first, where the rest is long enough."""
    endings: tuple[str, ...] = patterns()
    """Cut then; the longest that fits counts."""


_WORDS = together(read_languages("backend.knowledge", EndingWords).values(), EndingWords)
_REFLEXIVE = re.compile(rf"{either(_WORDS.reflexive_endings)}$")
_ENDING = re.compile(rf"{either(_WORDS.endings)}$")


def count_terms(texts: Sequence[str]) -> list[Counter[str]]:
    """How often each term stands in each text."""
    counts: list[Counter[str]] = [Counter() for _ in texts]
    with _index(texts, _STEMMED) as index:
        for number, token in index.execute("SELECT doc, term FROM words"):
            counts[number - 1][_stem(token)] += 1
    return counts


def search_words(text: str) -> list[tuple[str, str]]:
    """Each word of the text as a term and the FTS5 expression that finds it, always quoted."""
    with _index([text], _PLAIN) as index:
        plain = [row[0] for row in index.execute("SELECT term FROM words ORDER BY offset")]
    with _index([text], _STEMMED) as index:
        stemmed = [row[0] for row in index.execute("SELECT term FROM words ORDER BY offset")]
    return [
        (_stem(token), f'"{_stem(word)}" *' if _CYRILLIC.search(word) else f'"{word}"')
        for token, word in zip(stemmed, plain, strict=True)
    ]


def passages_with(terms: Iterable[str], *, db: Database) -> dict[str, int]:
    """In how many passages each of these terms stands; those in none are left out."""
    rows = db.execute(
        "SELECT term, passages FROM terms WHERE term IN (SELECT value FROM json_each(?))",
        [json.dumps(sorted(terms))],
    )
    return dict(rows.fetchall())


def recount_terms(db: Database) -> None:
    """Count anew in how many passages each term stands; after any change of passages."""
    counts: Counter[str] = Counter()
    for token, passages in db.execute("SELECT term, doc FROM passages_terms"):
        counts[_stem(token)] += passages
    db.execute("DELETE FROM terms")
    db.conn.executemany("INSERT INTO terms (term, passages) VALUES (?, ?)", counts.items())


def _stem(word: str) -> str:
    if not _CYRILLIC.search(word):
        return word
    for ending in (_REFLEXIVE, _ENDING):
        shorter = ending.sub("", word)
        if len(shorter) >= _SHORTEST_STEM:
            word = shorter
    return word


@contextmanager
def _index(texts: Sequence[str], tokenizer: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as index:
        index.execute(
            f"CREATE VIRTUAL TABLE texts USING fts5(text, content='', tokenize='{tokenizer}')"
        )
        index.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, 'instance')")
        index.execute("BEGIN")
        index.executemany(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)",
            [(number, _encodable(text)) for number, text in enumerate(texts, start=1)],
        )
        index.execute("COMMIT")
        yield index


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
