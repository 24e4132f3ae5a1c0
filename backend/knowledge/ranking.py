"""Retrieval: finding the passages of articles and solved tickets that answer a question.

FTS5 brings the few dozen passages that share the question's most telling words. They are then
ranked by how alike the texts are: the cosine of two term vectors, each term weighted by its rarity
in the knowledge base. Three things make one threshold good for any corpus and any length of
question: rarity runs from 0 to 1 whatever the corpus holds; words of the question that are found
nowhere still count against a passage; and a question of few telling words never reaches 1, since
little was asked (`_DOUBT`). Articles and solved tickets are ranked apart: an article also gains
from similar solved tickets whose answers cite it, since agents know which page helps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlite_utils import Database

from backend.domain.passage import Passage
from backend.knowledge.lexical_index import Tokenizer, passages_with
from backend.privacy import generic

Kind = Literal["article", "solved"]
Counts = Mapping[str, int]
Weights = Mapping[str, float]

ARTICLE_THRESHOLD = 0.18  # chosen with scripts/bench/search.py
SOLVED_THRESHOLD = 0.18
_MOST_CHARACTERS = 8_000  # of a question: the rest rarely says more
_MOST_WORDS = 16
_FEWEST_WORDS = 4
_MOST_MATCHES = 3_000  # passages that FTS5 ranks: more words only bring what hardly fits
_SHORTLIST = 30
_CITING = 30
_CITED_ARTICLES = 4
_TITLE_WEIGHT = 2.0
_DOUBT = 2.0  # as if each question had this many more words, of the rarest, that match nothing
_TRUST_IN_CITATIONS = 0.8
_COLUMNS = "id, key, kind, source_id, title, asked, text, url, weights"


@dataclass(frozen=True)
class Found:
    """What search finds for a question: passages of both kinds, best first, one of each source."""

    articles: tuple[Passage, ...] = ()
    solved: tuple[Passage, ...] = ()

    def best(self, *, articles: int, solved: int, threshold: float) -> list[Passage]:
        """The best of both kinds with at least this score, best first: what a prompt gets."""
        chosen = (*self.articles[:articles], *self.solved[:solved])
        passages = [passage for passage in chosen if passage.score >= threshold]
        return sorted(passages, key=lambda passage: -passage.score)


@dataclass(frozen=True)
class _Question:
    text: str
    weights: Weights
    rarities: Weights
    expression: str
    exclude_source: str


@dataclass(frozen=True)
class _Hit:
    """A passage with the id of its article or solved ticket."""

    passage: Passage
    source_id: str


class Search:
    """Finds passages in one knowledge database, for one caller at a time; to be closed at the end.

    With `lengths` (see `passage_lengths`) a question takes a third of the time: for whoever asks
    many questions of knowledge that does not change meanwhile.
    """

    def __init__(self, db: Database, *, lengths: Sequence[float] | None = None) -> None:
        self._db = db
        self._lengths = lengths
        self._tokenizer = Tokenizer()

    def close(self) -> None:
        """Gives its memory back; the database stays open."""
        self._tokenizer.close()

    def find(self, question: str, *, exclude_source: str = "") -> Found:
        """The passages most like the question, scored from 0 to 1.

        With `exclude_source`, a ticket's own id, neither that solved ticket nor any other with the
        very same text is found. Any text is a good question; one without words finds nothing.
        """
        asked = self._read(generic(question), exclude_source)
        rows = self._shortlist(asked)
        solved = _best_of_each(self._scored(asked, _of_kind("solved", rows, asked)))
        citing = _citing(solved[:_CITING], self._db)
        cited = _passages_of(citing, self._db)
        articles = {row["key"]: row for row in (*_of_kind("article", rows, asked), *cited)}
        hits = self._scored(asked, list(articles.values()))
        ranked = _best_of_each(_with_citations(hit, citing) for hit in hits)
        return Found(
            articles=tuple(hit.passage for hit in ranked),
            solved=tuple(hit.passage for hit in solved),
        )

    def _read(self, question: str, exclude_source: str) -> _Question:
        words = self._tokenizer.search_words(question[:_MOST_CHARACTERS])
        weights = term_weights({}, Counter(term for term, _ in words))
        found = passages_with(weights, db=self._db)
        rarities = _rarities(found, self._db)
        chosen = _telling(weights, rarities, found)
        expressions = dict(words)
        return _Question(
            text=_plain(question),
            weights=weights,
            rarities=rarities,
            expression=" OR ".join(expressions[term] for term in chosen),
            exclude_source=exclude_source,
        )

    def _shortlist(self, asked: _Question) -> list[dict[str, Any]]:
        """The passages of each kind that FTS5 ranks first."""
        if not asked.expression:
            return []
        ranked = self._db.execute(
            """SELECT rowid, rowid IN (SELECT id FROM passages WHERE kind = 'article')
               FROM passages_fts WHERE passages_fts MATCH ?
               ORDER BY bm25(passages_fts, 2.0, 1.0, 1.0, 0.0), rowid""",
            [f"{{title asked text}} : ({asked.expression})"],
        )
        chosen: dict[bool, list[int]] = {True: [], False: []}
        for id_, is_article in ranked:
            if len(chosen[bool(is_article)]) < _SHORTLIST:
                chosen[bool(is_article)].append(id_)
            elif all(len(ids) == _SHORTLIST for ids in chosen.values()):
                break
        ids = json.dumps(chosen[True] + chosen[False])
        return list(
            self._db.query(
                f"""SELECT {_COLUMNS} FROM passages
                    WHERE id IN (SELECT value FROM json_each(?))""",  # noqa: S608
                [ids],
            )
        )

    def _scored(self, asked: _Question, rows: Sequence[dict[str, Any]]) -> list[_Hit]:
        weights: list[dict[str, float]] = [json.loads(row["weights"]) for row in rows]
        vector = asked_vector(asked.weights, asked.rarities)
        lengths = self._lengths_of(rows, weights)
        return [
            _Hit(_passage(row, similarity(vector, own, asked.rarities, length)), row["source_id"])
            for row, own, length in zip(rows, weights, lengths, strict=True)
        ]

    def _lengths_of(
        self, rows: Sequence[dict[str, Any]], weights: Sequence[Weights]
    ) -> list[float]:
        if self._lengths is not None:
            return [self._lengths[row["id"]] for row in rows]
        terms = set[str]().union(*weights)
        rarities = _rarities(passages_with(terms, db=self._db), self._db)
        return [length(own, rarities) for own in weights]


def find_passages(
    question: str, *, db: Database, kind: Kind, limit: int, exclude_source: str = ""
) -> list[Passage]:
    """The passages of one kind that `Search.find` finds first."""
    found = _found(question, exclude_source, db)
    return list((found.articles if kind == "article" else found.solved)[:limit])


def passages_for(
    question: str,
    *,
    db: Database,
    articles: int,
    solved: int,
    threshold: float = ARTICLE_THRESHOLD,
    exclude_source: str = "",
) -> list[Passage]:
    """The best of both kinds with at least this score, best first: what goes into a prompt."""
    found = _found(question, exclude_source, db)
    return found.best(articles=articles, solved=solved, threshold=threshold)


def nearest_answer(
    question: str,
    *,
    db: Database,
    threshold_solved: float = SOLVED_THRESHOLD,
    threshold_article: float = ARTICLE_THRESHOLD,
    exclude_source: str = "",
) -> Passage | None:
    """The answer to the most similar solved ticket, else the best passage of an article.

    None if neither reaches its threshold.
    """
    found = _found(question, exclude_source, db)
    best = [passage for passage in found.solved[:1] if passage.score >= threshold_solved]
    best += [passage for passage in found.articles[:1] if passage.score >= threshold_article]
    return best[0] if best else None


def passage_lengths(db: Database) -> list[float]:
    """The length of each passage's vector, by the passage's `id`, as the knowledge is now."""
    total = int(db.table("passages").count)
    highest = db.execute("SELECT coalesce(max(id), 0) FROM passages").fetchone()[0]
    rarities = {
        term: rarity(found, total) for term, found in db.execute("SELECT term, passages FROM terms")
    }
    lengths = [0.0] * (highest + 1)
    for id_, weights in db.execute("SELECT id, weights FROM passages"):
        lengths[id_] = length(json.loads(weights), rarities)
    return lengths


def rarity(found: int, total: int) -> float:
    """From near 0 (a term of almost all passages) to 1 (of none): inverse document frequency."""
    found = min(found, total)
    return math.log1p((total - found + 0.5) / (found + 0.5)) / math.log1p(2 * total + 1)


def term_weights(title: Counts, *fields: Counts) -> dict[str, float]:
    """What each term weighs by its places alone; in a title it counts twice, however often."""
    weights = dict.fromkeys(title, _TITLE_WEIGHT)
    for field in fields:
        for term, count in field.items():
            weights[term] = round(weights.get(term, 0.0) + 1 + math.log(count), 2)
    return weights


@dataclass(frozen=True)
class Vector:
    """The weight of each term of a question, and the length that its products are divided by."""

    weights: Weights
    length: float


def asked_vector(weights: Weights, rarities: Weights) -> Vector:
    """The vector of a question. A term without a known rarity is the rarest there can be."""
    weighted = {term: weight * rarities.get(term, 1.0) for term, weight in weights.items()}
    return Vector(weighted, math.sqrt(_squares(weighted.values()) + _DOUBT))


def length(weights: Weights, rarities: Weights) -> float:
    """The length of a passage's vector."""
    return math.sqrt(_squares(weights[term] * rarities.get(term, 1.0) for term in weights))


def similarity(asked: Vector, passage: Weights, rarities: Weights, length: float) -> float:
    """From 0 (no word in common) towards 1 (a long question, word for word).

    `rarities` are those of the question's terms, and `length` is the passage's.
    """
    shared = asked.weights.keys() & passage.keys()
    product = sum(
        asked.weights[term] * (passage[term] * rarities.get(term, 1.0)) for term in sorted(shared)
    )
    return min(product / (asked.length * length), 1.0) if product else 0.0


def with_citations(score: float, citing: Iterable[float]) -> float:
    """A passage's score when answers to questions of these similarities cited its article.

    Each citation takes its part of what is missing to 1, so the result stays from 0 to 1.
    """
    missing = 1.0 - score
    for likeness in citing:
        missing *= 1.0 - _TRUST_IN_CITATIONS * likeness
    return 1.0 - missing


def _found(question: str, exclude_source: str, db: Database) -> Found:
    with closing(Search(db)) as search:
        return search.find(question, exclude_source=exclude_source)


def _rarities(found: Counts, db: Database) -> dict[str, float]:
    total = int(db.table("passages").count)
    by_number = {number: rarity(number, total) for number in set(found.values())}
    return {term: by_number[number] for term, number in found.items()}


def _telling(weights: Weights, rarities: Weights, found: Counts) -> list[str]:
    """The terms that say most about a question and are worth looking up."""
    chosen: list[str] = []
    matches = 0
    for term in sorted(found, key=lambda term: (-weights[term] * rarities[term], term)):
        matches += found[term]
        if len(chosen) == _MOST_WORDS or (len(chosen) >= _FEWEST_WORDS and matches > _MOST_MATCHES):
            break
        chosen.append(term)
    return chosen


def _of_kind(kind: Kind, rows: Iterable[dict[str, Any]], asked: _Question) -> list[dict[str, Any]]:
    of_kind = [row for row in rows if row["kind"] == kind]
    if kind == "article" or not asked.exclude_source:
        return of_kind
    return [row for row in of_kind if not _is_itself(row, asked)]


def _is_itself(row: dict[str, Any], asked: _Question) -> bool:
    return row["source_id"] == asked.exclude_source or _plain(row["asked"]) == asked.text


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _citing(solved: Sequence[_Hit], db: Database) -> dict[str, list[float]]:
    """By article, how alike the solved tickets are whose answers cite it."""
    likeness = {hit.source_id: hit.passage.score for hit in solved}
    rows = db.query(
        """WITH cited AS (
               SELECT solved_tickets.id, value AS reference
               FROM solved_tickets, json_each(solved_tickets.cited)
               WHERE solved_tickets.id IN (SELECT value FROM json_each(?)))
           SELECT cited.id, articles.id AS article
           FROM cited JOIN articles ON articles.id = reference
           UNION
           SELECT cited.id, articles.id FROM cited JOIN articles ON articles.url = reference""",
        [json.dumps(list(likeness))],
    )
    citing: dict[str, list[float]] = {}
    for row in rows:
        citing.setdefault(row["article"], []).append(likeness[row["id"]])
    return citing


def _passages_of(citing: dict[str, list[float]], db: Database) -> list[dict[str, Any]]:
    most = sorted(citing, key=lambda article: (-with_citations(0, citing[article]), article))
    return list(
        db.query(
            f"""SELECT {_COLUMNS} FROM passages WHERE kind = 'article'
                AND source_id IN (SELECT value FROM json_each(?)) ORDER BY id""",  # noqa: S608
            [json.dumps(most[:_CITED_ARTICLES])],
        )
    )


def _with_citations(hit: _Hit, citing: Mapping[str, Sequence[float]]) -> _Hit:
    score = with_citations(hit.passage.score, citing.get(hit.source_id, ()))
    return replace(hit, passage=replace(hit.passage, score=score))


def _passage(row: dict[str, Any], score: float) -> Passage:
    return Passage(
        key=row["key"],
        kind=row["kind"],
        title=row["title"],
        text=row["text"],
        url=row["url"],
        score=score,
    )


def _best_of_each(hits: Iterable[_Hit]) -> list[_Hit]:
    """Best first; of each source, and of equal texts, only the best."""
    kept: list[_Hit] = []
    seen: set[str] = set()
    for hit in sorted(hits, key=lambda hit: (-hit.passage.score, hit.passage.key)):
        if not seen & {hit.source_id, hit.passage.text}:
            kept.append(hit)
            seen |= {hit.source_id, hit.passage.text}
    return kept


def _squares(weights: Iterable[float]) -> float:
    return sum(weight * weight for weight in weights)
