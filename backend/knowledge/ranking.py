"""Finding what the help desk already answered: passages of articles and of solved tickets.

FTS5 brings the few dozen passages that share the question's most telling words; they are then
ranked by `backend.domain.similarity`. The two pools are ranked apart: an article also gains from
similar solved tickets whose answers cite it, since agents know which page helps.

How alike two texts are, from 0 to 1, by the words they share and how telling those are.

Cosine of two term vectors, each term weighted by its rarity in the knowledge base. Three things
make one threshold good for any corpus and any length of question: rarity itself runs from 0 to 1
whatever the corpus holds; words of the question that are found nowhere still count against it; and
a question of few telling words never reaches 1, since little was asked (`_DOUBT`).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlite_utils import Database

from backend.domain.passage import Passage
from backend.knowledge.lexical_index import passages_with, search_words

Kind = Literal["article", "solved"]
ARTICLE_THRESHOLD = 0.18  # chosen with scripts/bench/search.py
SOLVED_THRESHOLD = 0.18
_MOST_CHARACTERS = 8_000  # of a question: the rest rarely says more
_MOST_WORDS = 16
_FEWEST_WORDS = 4
_MOST_MATCHES = 3_000  # passages that FTS5 ranks: more words only bring what hardly fits
_SHORTLIST = 30
_CITING = 30
_CITED_ARTICLES = 4
_COLUMNS = "key, kind, source_id, title, asked, text, url, weights"


@dataclass(frozen=True)
class _Question:
    text: str
    weights: Weights
    expression: str
    exclude_source: str


@dataclass(frozen=True)
class _Found:
    """A passage with its score and the id of its article or solved ticket."""

    passage: Passage
    source_id: str

    @property
    def score(self) -> float:
        return self.passage.score


def find_passages(
    question: str, *, db: Database, kind: Kind, limit: int, exclude_source: str = ""
) -> list[Passage]:
    """The passages most like the question, best first, one of each source, scored from 0 to 1.

    With `exclude_source`, a ticket's own id, neither that solved ticket nor any other with the
    very same text is found. Any text is a good question; one without words finds nothing.
    """
    asked = _read(question, exclude_source, db)
    solved = _solved(asked, db)
    found = solved if kind == "solved" else _articles(asked, solved, db)
    return [one.passage for one in found[:limit]]


def passages_for(
    question: str,
    *,
    db: Database,
    articles: int,
    solved: int,
    threshold: float = ARTICLE_THRESHOLD,
    exclude_source: str = "",
) -> list[Passage]:
    """The best of both pools with at least this score, best first: what goes into a prompt."""
    asked = _read(question, exclude_source, db)
    all_solved = _solved(asked, db)
    best = _articles(asked, all_solved, db)[:articles] + all_solved[:solved]
    passages = [one.passage for one in best if one.score >= threshold]
    return sorted(passages, key=lambda passage: -passage.score)


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
    asked = _read(question, exclude_source, db)
    solved = _solved(asked, db)
    if solved and solved[0].score >= threshold_solved:
        return solved[0].passage
    articles = _articles(asked, solved, db)
    if articles and articles[0].score >= threshold_article:
        return articles[0].passage
    return None


def _read(question: str, exclude_source: str, db: Database) -> _Question:
    text = question[:_MOST_CHARACTERS]
    words = search_words(text)
    expressions = dict(words)
    weights = term_weights({}, Counter(term for term, _ in words))
    found = passages_with(weights, db=db)
    total = int(db.table("passages").count)
    worth = {term: weights[term] * rarity(found[term], total) for term in found}
    chosen: list[str] = []
    matches = 0
    for term in sorted(worth, key=lambda term: (-worth[term], term))[:_MOST_WORDS]:
        matches += found[term]
        if len(chosen) >= _FEWEST_WORDS and matches > _MOST_MATCHES:
            break
        chosen.append(expressions[term])
    return _Question(_plain(question), weights, " OR ".join(chosen), exclude_source)


def _solved(asked: _Question, db: Database) -> list[_Found]:
    rows = _shortlist(asked, "solved", db)
    if asked.exclude_source:
        rows = [row for row in rows if not _is_itself(row, asked)]
    return _best_of_each(_scored(asked, rows, db))


def _articles(asked: _Question, solved: Sequence[_Found], db: Database) -> list[_Found]:
    citing = _citing(solved[:_CITING], db)
    rows = _shortlist(asked, "article", db) + _passages_of(citing, db)
    found = _scored(asked, list({row["key"]: row for row in rows}.values()), db)
    return _best_of_each(
        _with_score(one, with_citations(one.score, citing.get(one.source_id, ()))) for one in found
    )


def _shortlist(asked: _Question, kind: Kind, db: Database) -> list[dict[str, Any]]:
    if not asked.expression:
        return []
    return list(
        db.query(
            f"""SELECT {_COLUMNS} FROM passages WHERE id IN (
                    SELECT rowid FROM passages_fts WHERE passages_fts MATCH ?
                    ORDER BY bm25(passages_fts, 2.0, 1.0, 1.0, 0.0) LIMIT {_SHORTLIST})""",  # noqa: S608
            [f"kind : {kind} AND {{title asked text}} : ({asked.expression})"],
        )
    )


def _is_itself(row: dict[str, Any], asked: _Question) -> bool:
    return row["source_id"] == asked.exclude_source or _plain(row["asked"]) == asked.text


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _citing(solved: Sequence[_Found], db: Database) -> dict[str, list[float]]:
    likeness = {one.source_id: one.score for one in solved}
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


def _scored(asked: _Question, rows: Sequence[dict[str, Any]], db: Database) -> list[_Found]:
    weights: list[dict[str, float]] = [json.loads(row["weights"]) for row in rows]
    terms = set(asked.weights).union(*weights)
    total = int(db.table("passages").count)
    found = passages_with(terms, db=db)
    by_number = {number: rarity(number, total) for number in set(found.values())}
    rarities = {term: by_number[number] for term, number in found.items()}
    vector = asked_vector(asked.weights, rarities)
    return [
        _Found(_passage(row, similarity(vector, passage_vector(own, rarities))), row["source_id"])
        for row, own in zip(rows, weights, strict=True)
    ]


def _passage(row: dict[str, Any], score: float) -> Passage:
    return Passage(
        key=row["key"],
        kind=row["kind"],
        title=row["title"],
        text=row["text"],
        url=row["url"],
        score=score,
    )


def _with_score(found: _Found, score: float) -> _Found:
    return replace(found, passage=replace(found.passage, score=score))


def _best_of_each(found: Iterable[_Found]) -> list[_Found]:
    """Best first; of each source, and of equal texts, only the best."""
    kept: list[_Found] = []
    seen: set[str] = set()
    for one in sorted(found, key=lambda one: (-one.score, one.passage.key)):
        if not seen & {one.source_id, one.passage.text}:
            kept.append(one)
            seen |= {one.source_id, one.passage.text}
    return kept


_TITLE_WEIGHT = 2.0
_DOUBT = 2.0  # as if each question had this many more words, of the rarest, that match nothing
_TRUST_IN_CITATIONS = 0.8

Counts = Mapping[str, int]
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Vector:
    """The weight of each term of a text, and the length that its products are divided by."""

    weights: Weights
    length: float


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


def asked_vector(weights: Weights, rarities: Weights) -> Vector:
    """The vector of a question. A term without a known rarity is the rarest there can be."""
    weighted = _by_rarity(weights, rarities)
    return Vector(weighted, math.sqrt(_squares(weighted) + _DOUBT))


def passage_vector(weights: Weights, rarities: Weights) -> Vector:
    """The vector of a passage."""
    weighted = _by_rarity(weights, rarities)
    return Vector(weighted, math.sqrt(_squares(weighted)))


def similarity(asked: Vector, passage: Vector) -> float:
    """From 0 (no word in common) towards 1 (a long question, word for word)."""
    shared = asked.weights.keys() & passage.weights.keys()
    product = sum(asked.weights[term] * passage.weights[term] for term in sorted(shared))
    return min(product / (asked.length * passage.length), 1.0) if product else 0.0


def with_citations(score: float, citing: Iterable[float]) -> float:
    """A passage's score when answers to questions of these similarities cited its article.

    Each citation takes its part of what is missing to 1, so the result stays from 0 to 1.
    """
    missing = 1.0 - score
    for likeness in citing:
        missing *= 1.0 - _TRUST_IN_CITATIONS * likeness
    return 1.0 - missing


def _by_rarity(weights: Weights, rarities: Weights) -> dict[str, float]:
    return {term: weight * rarities.get(term, 1.0) for term, weight in weights.items()}


def _squares(weights: Weights) -> float:
    return sum(weight * weight for weight in weights.values())
