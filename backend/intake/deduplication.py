"""Near duplicates among many texts, in time and memory that grow with their number.

MinHash estimates how many shingles two texts share; bands of it (LSH) bring likely pairs together
without comparing all with all. datasketch does the same but brings scipy (140 MB) and takes a
Python call for each band; forty lines of numpy are faster and give the same bytes everywhere.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

PERMUTATIONS = 126
BANDS = 42  # of 3 values: a pair that shares half is missed once in 270, one of .6 once in 40,000
ALIKE = 0.5  # of all shingles are shared
_COMPARED = 4  # rows before one in its bucket, beside the first
_WORDS = 3
_WORD = re.compile(r"\w+")
Signature = npt.NDArray[np.uint32]


def signature(text: str) -> Signature:
    """The MinHash of a text's shingles of three words; texts of the same words have the same."""
    words = _WORD.findall(text.lower())
    shingles = {
        " ".join(words[start : start + _WORDS]) for start in range(max(len(words) - _WORDS + 1, 1))
    }
    hashed = np.array(sorted(map(_hash, shingles)), dtype=np.uint64)
    mixed = (hashed[:, None] * _FACTORS[None, :] + _OFFSETS[None, :]) >> np.uint64(32)
    smallest: Signature = mixed.min(axis=0).astype(np.uint32)
    return smallest


def groups(signatures: npt.NDArray[np.uint32]) -> list[list[int]]:
    """Rows that are near duplicates of one another, in order; rows without any are left out.

    In each bucket a row is compared with the first one and the four before it, so a bucket of a
    thousand equal texts costs five thousand comparisons, not half a million.
    """
    parent = list(range(len(signatures)))
    for band in range(BANDS):
        _join_band(signatures, band, parent)
    found: dict[int, list[int]] = defaultdict(list)
    for row in range(len(signatures)):
        found[_root(parent, row)].append(row)
    return [rows for rows in found.values() if len(rows) > 1]


def likeness(first: Signature, second: Signature) -> float:
    """The estimated share of shingles that two texts have in common, from 0 to 1."""
    return float(np.mean(first == second))


def _join_band(signatures: npt.NDArray[np.uint32], band: int, parent: list[int]) -> None:
    width = PERMUTATIONS // BANDS
    keys = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
    flat = keys.view(np.dtype((np.void, keys.dtype.itemsize * width))).ravel()
    order = np.argsort(flat, kind="stable")
    same = flat[order[1:]] == flat[order[:-1]]
    first = 0
    for place in np.flatnonzero(same).tolist():
        if place == 0 or not same[place - 1]:
            first = place
        row = int(order[place + 1])
        for near in {first, *range(max(first, place + 1 - _COMPARED), place + 1)}:
            other = int(order[near])
            if _root(parent, row) != _root(parent, other) and (
                likeness(signatures[row], signatures[other]) >= ALIKE
            ):
                _join(parent, row, other)


def _join(parent: list[int], first: int, second: int) -> None:
    low, high = sorted((_root(parent, first), _root(parent, second)))
    parent[high] = low


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


def _hash(shingle: str) -> int:
    return int.from_bytes(blake2b(shingle.encode(), digest_size=8).digest(), "little")


def _constants(seed: bytes, *, odd: bool) -> npt.NDArray[np.uint64]:
    drawn: list[Any] = [
        int.from_bytes(blake2b(seed + bytes([place]), digest_size=8).digest(), "little")
        | (1 if odd else 0)
        for place in range(PERMUTATIONS)
    ]
    return np.array(drawn, dtype=np.uint64)


_FACTORS, _OFFSETS = _constants(b"factor", odd=True), _constants(b"offset", odd=False)


def signatures_of(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """A row for each text."""
    if not texts:
        return np.zeros((0, PERMUTATIONS), dtype=np.uint32)
    return np.stack([signature(text) for text in texts])
