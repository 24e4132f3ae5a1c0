"""Which rows are trained on, which are held out, and which are left out.

The rule. Rows of one customer stay together; a row whose customer nobody knows is a customer of
its own. There is one moment before which everything is trained on and after which everything is
golden. A customer who wrote on both sides of it is either held out, and loses the older rows, or
trained on, and loses the newer ones; those are held out first who lose the fewest rows for each row
they give, until golden has its share. Of several moments the one is taken that costs the fewest
rows. Of the customers that are trained on, `validation` is drawn by seed.

Of near duplicates only the best one stays (the most trusted, then the newest), or, if asked for,
they stay together in one split as if one customer had written them.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from backend.domain.example import Split
from backend.intake.deduplication import groups
from trainer.data.row_index import Light

CUSTOMER_SHARE = 0.05
OLDER = "older ticket of a customer in golden"
NEWER = "newer ticket of a customer in training"
_LARGEST = 1.5  # times golden's share
_REACH = (1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10, 15)  # times golden's share, back in time

Age = tuple[str, str]

Duplicates = Literal["drop", "together"]


@dataclass(frozen=True)
class Held:
    """Each kept row's split, by place, and what was met on the way to it."""

    splits: dict[int, Split]
    duplicate_groups: int
    duplicates: int
    customer_cap: int | None
    customers: int


def fraction(text: str) -> float:
    """A number from 0 to below 1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def hold_out(
    rows: Sequence[Light],
    signatures: npt.NDArray[np.uint32],
    *,
    shares: tuple[float, float],
    seed: int,
    rules: tuple[Duplicates, int, int],
    dropped: Counter[str],
) -> Held:
    """The split of each row that stays. `shares` are golden's and validation's.

    `rules` are what to do with near duplicates, how many rows may have the same answer, and how
    many rows articles add to the training set. What is left out is counted in `dropped`.
    """
    duplicates, same_answers, others = rules
    kept = _without_copies(rows, same_answers, dropped)
    found = [[kept[place] for place in group] for group in groups(signatures[kept])]
    extra = sum(len(group) - 1 for group in found)
    if duplicates == "drop":
        worse = {place for group in found for place in _worse(group, rows)}
        dropped["near duplicate of a ticket"] += len(worse)
        kept = [place for place in kept if place not in worse]
        units = _units(kept, rows, ())
    else:
        units = _units(kept, rows, found)
    splits = _split(units, rows, shares, seed, dropped)
    cap = _cap(splits, rows, others, dropped)
    known = len({rows[place].customer for place in splits if rows[place].customer})
    return Held(dict(sorted(splits.items())), len(found), extra, cap, known)


def _without_copies(rows: Sequence[Light], same_answers: int, dropped: Counter[str]) -> list[int]:
    best = sorted(range(len(rows)), key=lambda place: (-rows[place].trust, rows[place].source))
    pairs: set[tuple[str, str]] = set()
    answers: Counter[str] = Counter()
    kept = []
    for place in best:
        row = rows[place]
        if (row.asked, row.answered) in pairs:
            dropped["exact duplicate of a ticket"] += 1
        elif answers[row.answered] >= same_answers:
            dropped[f"answer given to {same_answers} others already"] += 1
        else:
            pairs.add((row.asked, row.answered))
            answers[row.answered] += 1
            kept.append(place)
    return sorted(kept)


def _worse(group: Sequence[int], rows: Sequence[Light]) -> list[int]:
    return sorted(group, key=lambda place: (rows[place].trust, rows[place].age))[:-1]


def _units(
    kept: Iterable[int], rows: Sequence[Light], together: Iterable[Sequence[int]]
) -> list[list[int]]:
    """Rows that must not be parted: one customer's, and those grouped with them."""
    kept = list(kept)
    parent = {place: place for place in kept}

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[str, int] = {}
    for place in kept:
        if rows[place].customer:
            parent[root(place)] = root(first.setdefault(rows[place].customer, place))
    for group in together:
        for place in group[1:]:
            parent[root(place)] = root(group[0])
    units: dict[int, list[int]] = defaultdict(list)
    for place in kept:
        units[root(place)].append(place)
    return list(units.values())


def _split(
    units: Sequence[list[int]],
    rows: Sequence[Light],
    shares: tuple[float, float],
    seed: int,
    dropped: Counter[str],
) -> dict[int, Split]:
    ages = [sorted(rows[place].age for place in unit) for unit in units]
    golden, moment = _golden(ages, shares[0])
    splits: dict[int, Split] = {}
    for number, unit in enumerate(units):
        draw = fraction(f"{seed}:split:{min(rows[place].source for place in unit)}")
        for place in unit:
            newer = moment is not None and rows[place].age >= moment
            if number in golden and newer:
                splits[place] = "golden"
            elif number in golden:
                dropped[OLDER] += 1
            elif newer:
                dropped[NEWER] += 1
            else:
                splits[place] = "validation" if draw < shares[1] else "train"
    return splits


def _golden(units: Sequence[list[Age]], share: float) -> tuple[frozenset[int], Age | None]:
    """Which customers are held out, and the moment from which on their rows count."""
    ages = sorted(age for unit in units for age in unit)
    wanted = round(len(ages) * share)
    if not wanted:
        return frozenset(), None
    moments = dict.fromkeys(ages[max(len(ages) - round(wanted * one), 0)] for one in _REACH)
    tried = [_held_out(units, moment, wanted) for moment in moments]
    _, _, held, moment = min(tried, key=lambda one: one[:2])
    return held, moment


def _held_out(
    units: Sequence[list[Age]], moment: Age, wanted: int
) -> tuple[int, int, frozenset[int], Age]:
    """How many rows golden lacks, how many are lost, who is held out, all for one moment."""
    older = [bisect_left(unit, moment) for unit in units]
    newer = [len(unit) - count for unit, count in zip(units, older, strict=True)]
    able = [number for number, count in enumerate(newer) if count]
    able.sort(key=lambda number: units[number][0], reverse=True)
    able.sort(key=lambda number: older[number] / newer[number])
    held: list[int] = []
    golden = 0
    for number in able:
        if golden < wanted and golden + newer[number] <= max(_LARGEST * wanted, 1):
            held.append(number)
            golden += newer[number]
    lost = sum(older[number] for number in held) + sum(newer) - golden
    return max(wanted - golden, 0), lost, frozenset(held), moment


def _cap(
    splits: dict[int, Split], rows: Sequence[Light], others: int, dropped: Counter[str]
) -> int | None:
    """Leaves out a customer's oldest rows beyond 5 % of the training set; the cap that was used.

    None if no cap can hold: fewer than twenty customers and articles share the set.
    """
    of: dict[str, list[int]] = defaultdict(list)
    for place, split in splits.items():
        if split == "train":
            of[rows[place].customer or rows[place].source].append(place)
    sizes = sorted(map(len, of.values()))
    if not sizes:
        return None
    cap = next(
        (
            cap
            for cap in range(sizes[-1], 0, -1)
            if cap <= CUSTOMER_SHARE * (others + sum(min(size, cap) for size in sizes))
        ),
        None,
    )
    if cap is None:
        return None
    for places in of.values():
        for place in sorted(places, key=lambda one: rows[one].age)[:-cap]:
            del splits[place]
            dropped["more than 5 % from one customer"] += 1
    return cap
