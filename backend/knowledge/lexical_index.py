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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from sqlite_utils import Database

from backend.system.languages import either, patterns, read_languages, together

_PLAIN = "unicode61 remove_diacritics 2"
TOKENIZER = f"porter {_PLAIN}"
"""How the index of passages cuts texts into words."""
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


class Tokenizer:
    """Cuts texts into words for one caller at a time; to be closed when the last one is cut."""

    def __init__(self) -> None:
        self._memory = sqlite3.connect(":memory:", isolation_level=None)
        for table, tokenizer in (("plain", _PLAIN), ("stemmed", TOKENIZER)):
            self._memory.execute(
                f"CREATE VIRTUAL TABLE {table} USING fts5(text, content='', tokenize='{tokenizer}')"
            )
            self._memory.execute(
                f"CREATE VIRTUAL TABLE {table}_words USING fts5vocab({table}, 'instance')"
            )

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()

    def count_terms(self, texts: Sequence[str]) -> list[Counter[str]]:
        """How often each term stands in each text."""
        self._index("stemmed", texts)
        counts: list[Counter[str]] = [Counter() for _ in texts]
        found = self._memory.execute(
            "SELECT term, doc, count(*) FROM stemmed_words GROUP BY term, doc"
        )
        for token, rows in groupby(found, key=itemgetter(0)):
            term = _stem(token)
            for _, number, count in rows:
                counts[number - 1][term] += count
        return counts

    def search_words(self, text: str) -> list[tuple[str, str]]:
        """Each word of the text as a term and the FTS5 expression that finds it, always quoted."""
        return [
            (_stem(token), f'"{_stem(word)}" *' if _CYRILLIC.search(word) else f'"{word}"')
            for token, word in zip(
                self._words("stemmed", text), self._words("plain", text), strict=True
            )
        ]

    def _words(self, table: str, text: str) -> list[str]:
        self._index(table, [text])
        found = self._memory.execute(f"SELECT term FROM {table}_words ORDER BY offset")  # noqa: S608
        return [row[0] for row in found]

    def _index(self, table: str, texts: Sequence[str]) -> None:
        self._memory.execute(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")  # noqa: S608
        self._memory.execute("BEGIN")
        self._memory.executemany(
            f"INSERT INTO {table} (rowid, text) VALUES (?, ?)",  # noqa: S608
            [(number, _encodable(text)) for number, text in enumerate(texts, start=1)],
        )
        self._memory.execute("COMMIT")


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


def merge_index(db: Database) -> None:
    """Make one piece of the index, which is searched a third faster; at the end of a filling."""
    db.execute("INSERT INTO passages_fts (passages_fts) VALUES ('optimize')")


def _stem(word: str) -> str:
    if not _CYRILLIC.search(word):
        return word
    for ending in (_REFLEXIVE, _ENDING):
        shorter = ending.sub("", word)
        if len(shorter) >= _SHORTEST_STEM:
            word = shorter
    return word


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
