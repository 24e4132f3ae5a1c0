"""Finds the passages that stand in a training prompt, ranked as in serving.

Serving has a full text index that shortens the list first and knows more word endings; the two
need not find the same passage for every question, only be right about equally often. Here too the
rarest words of a question choose at most a few hundred passages, which are then compared one by
one: a question costs the same among a thousand tickets and among a hundred thousand.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.domain.passage import Passage
from backend.knowledge.ranking import asked_vector, rarity, term_weights

CANDIDATES = 400
_LONGEST_LIST = 2_000  # passages a word may stand in and still choose some, in a large collection
_WORD = re.compile(r"\w+")
_STEM = 6  # Ukrainian endings differ by case; the first letters of a word do not
_ALIKE = 0.5  # shared words of all words
_TEXTS = "passages.jsonl"
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Shelf:
    """Passages that can be searched, as arrays that several processes can share.

    `terms[rows[p]:rows[p + 1]]` are the words of passage p, as places in `vocabulary`, which holds
    their hashes; `weights` go with them and `in_text` says which stand in the text itself.
    `found[lists[t]:lists[t + 1]]` are the passages that have word t. Texts are read when asked for.
    """

    vocabulary: Numbers
    rarities: Numbers
    rows: Numbers
    terms: Numbers
    weights: Numbers
    in_text: Numbers
    lengths: Numbers
    lists: Numbers
    found: Numbers
    places: Numbers
    folder: Path | None = None
    texts: tuple[Passage, ...] = ()

    def passage(self, number: int, score: float) -> Passage:
        """The passage at a place, with how well it fits."""
        if self.folder is None:
            return _scored(self.texts[number], score)
        with (self.folder / _TEXTS).open("rb") as file:
            file.seek(int(self.places[number]))
            return _scored(Passage(**json.loads(file.readline())), score)


def stems(text: str) -> Counter[str]:
    """The words of a text, in lower case, cut to their first letters."""
    return Counter(word[:_STEM] for word in _WORD.findall(text.lower()))


def shelf(asked: Iterable[tuple[Passage, str]]) -> Shelf:
    """A shelf of passages, each with the question it answered, if any."""
    rows = list(asked)
    return _shelf(rows, tuple(passage for passage, _ in rows), None, ())


def write_shelf(asked: Iterable[tuple[Passage, str]], folder: Path) -> None:
    """Writes a shelf to a folder, from which any number of processes can open it."""
    folder.mkdir(parents=True, exist_ok=True)
    places: list[int] = []
    with (folder / _TEXTS).open("wb") as texts:

        def kept() -> Iterable[tuple[Passage, str]]:
            for passage, question in asked:
                places.append(texts.tell())
                row = {one.name: getattr(passage, one.name) for one in fields(passage)}
                texts.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                yield passage, question

        built = _shelf(kept(), (), folder, places)
    for one in fields(Shelf):
        value = getattr(built, one.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{one.name}.npy", value)


@cache
def open_shelf(folder: Path) -> Shelf:
    """The shelf in a folder; its arrays are mapped, not read, so processes share their memory."""
    arrays: dict[str, Any] = {
        one.name: np.asarray(np.load(folder / f"{one.name}.npy", mmap_mode="r"))
        for one in fields(Shelf)
        if one.name not in ("folder", "texts")
    }
    return Shelf(**arrays, folder=folder)


def nearest(question: str, on: Shelf, *, but: str = "", limit: int = 2) -> list[Passage]:
    """The best passages for a question, best first; never the one with the key `but`."""
    best: list[Passage] = []
    for number, score in zip(*_ranked(question, on), strict=True):
        passage = on.passage(int(number), float(score))
        if passage.key != but:
            best.append(passage)
        if len(best) == limit:
            break
    return best


def helpful(question: str, answer: str, on: Shelf, *, but: str = "") -> Passage | None:
    """The best passage for a question among those that say about what the answer says.

    To be used in training only, where the answer is known.
    """
    numbers, scores = _ranked(question, on)
    if not len(numbers):
        return None
    wanted = np.zeros(len(on.vocabulary), dtype=bool)
    known = stems(answer)
    places = _places(known, on)
    wanted[places[places >= 0]] = True
    entries, starts = _entries(numbers, on)
    texts = on.in_text[entries]
    shared = np.add.reduceat(wanted[on.terms[entries]] & texts, starts, dtype=np.int64)
    sizes = np.add.reduceat(texts, starts, dtype=np.int64)
    alike = (shared > 0) & (shared >= _ALIKE * (len(known) + sizes - shared))
    for place in np.flatnonzero(alike):
        passage = on.passage(int(numbers[place]), float(scores[place]))
        if passage.key != but:
            return passage
    return None


@lru_cache(maxsize=4)
def _ranked(question: str, on: Shelf) -> tuple[Numbers, Numbers]:
    """Which passages have words of the question, best first, and how well each fits."""
    weights = term_weights({}, stems(question))
    places = dict(zip(weights, _places(weights, on), strict=True))
    known = {name: place for name, place in places.items() if place >= 0}
    rarities = {name: float(on.rarities[place]) for name, place in known.items()}
    vector = asked_vector(weights, rarities)
    numbers = _candidates(sorted(known.values(), key=lambda one: (-on.rarities[one], one)), on)
    if not len(numbers):
        return numbers, np.zeros(0)
    asked = np.zeros(len(on.vocabulary))
    for name, place in known.items():
        asked[place] = vector.weights[name]
    sums = _sums(asked, numbers, on)
    scores = np.round(np.minimum(sums / (vector.length * on.lengths[numbers]), 1.0), 4)
    order = np.lexsort((numbers, -scores))
    order = order[scores[order] > 0]
    return numbers[order], scores[order]


def _candidates(words: Sequence[int], on: Shelf) -> Numbers:
    """The passages that have the rarest of these words, as many as are worth comparing."""
    small = len(on.lengths) <= _LONGEST_LIST
    chosen: list[Numbers] = []
    count = 0
    for word in words:
        first, end = int(on.lists[word]), int(on.lists[word + 1])
        if not small and (count >= CANDIDATES or end - first > _LONGEST_LIST):
            break
        chosen.append(on.found[first:end])
        count += end - first
    return np.unique(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)


def _sums(asked: Numbers, numbers: Numbers, on: Shelf) -> Numbers:
    entries, starts = _entries(numbers, on)
    sums: Numbers = np.add.reduceat(asked[on.terms[entries]] * on.weights[entries], starts)
    return sums


def _entries(numbers: Numbers, on: Shelf) -> tuple[Numbers, Numbers]:
    """The places of all words of these passages, and where each passage's begin among them.

    No passage is without words: it was found by one.
    """
    sizes = on.rows[numbers + 1] - on.rows[numbers]
    starts = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(on.rows[numbers] - starts, sizes), starts


def _places(words: Iterable[str], on: Shelf) -> Numbers:
    """Where each word stands in the vocabulary; -1 for one that it does not have."""
    hashes = np.array([_hash(word) for word in words], dtype=np.uint32)
    if not len(hashes) or not len(on.vocabulary):
        return np.full(len(hashes), -1)
    places = np.minimum(np.searchsorted(on.vocabulary, hashes), len(on.vocabulary) - 1)
    return np.where(on.vocabulary[places] == hashes, places, -1)


def _shelf(
    asked: Iterable[tuple[Passage, str]],
    texts: tuple[Passage, ...],
    folder: Path | None,
    places: Sequence[int],
) -> Shelf:
    hashes, weights, in_text, rows = array("I"), array("f"), array("b"), array("q", [0])
    for passage, question in asked:
        words = stems(passage.text)
        weighed = term_weights(stems(passage.title), stems(question), words)
        hashes.extend(_hash(word) for word in weighed)
        weights.extend(weighed.values())
        in_text.extend(word in words for word in weighed)
        rows.append(len(hashes))
    vocabulary = np.unique(np.array(hashes, dtype=np.uint32))
    terms = np.searchsorted(vocabulary, np.array(hashes, dtype=np.uint32)).astype(np.int32)
    starts = np.array(rows)
    owners = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
    counts = np.bincount(terms, minlength=len(vocabulary))
    rarities = np.array([rarity(int(count), len(starts) - 1) for count in counts])
    scaled = np.array(weights, dtype=np.float32) * rarities[terms].astype(np.float32)
    squares = np.concatenate(([0.0], np.cumsum(np.square(scaled, dtype=np.float64))))
    return Shelf(
        vocabulary=vocabulary,
        rarities=rarities,
        rows=starts,
        terms=terms,
        weights=scaled,
        in_text=np.array(in_text, dtype=bool),
        lengths=np.maximum(np.sqrt(squares[starts[1:]] - squares[starts[:-1]]), 1e-9),
        lists=np.concatenate(([0], np.cumsum(counts))),
        found=owners[np.argsort(terms, kind="stable")],
        places=np.array(places, dtype=np.int64),
        folder=folder,
        texts=texts,
    )


def _scored(passage: Passage, score: float) -> Passage:
    return Passage(passage.key, passage.kind, passage.title, passage.text, passage.url, score)


def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=4).digest(), "little")
