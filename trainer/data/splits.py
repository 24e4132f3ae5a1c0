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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.domain.example import Example, Split
from backend.intake.deduplication import groups, signatures_of
from trainer.data.rows import Signatures, TicketSummary

CUSTOMER_SHARE = 0.05
OLDER = "older ticket of a customer in golden"
NEWER = "newer ticket of a customer in training"
_LARGEST = 1.5  # times golden's share
_REACH = (1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10, 15)  # times golden's share, back in time

Age = tuple[str, str]

Duplicates = Literal["drop", "together"]


@dataclass(frozen=True)
class SplitRules:
    """How tickets are parted. The shares are golden's and validation's.

    `near_duplicates`: of tickets asked alike keep the best one (`drop`), or keep all of them in one
    split (`together`). `same_answers`: how many tickets may have the same answer word for word.
    """

    seed: int
    golden_share: float
    validation_share: float
    near_duplicates: Duplicates
    same_answers: int


@dataclass(frozen=True)
class Splits:
    """The split of each ticket that stays, by its place, and what was met on the way to it."""

    by_place: Mapping[int, Split]
    duplicate_groups: int
    duplicates: int
    customer_cap: int | None
    customers: int


def split_tickets(
    tickets: Sequence[TicketSummary],
    signatures: Signatures,
    *,
    rules: SplitRules,
    article_examples: int,
    dropped: Counter[str],
) -> Splits:
    """The split of each ticket that stays.

    `article_examples` is how many examples articles add to the training set. What is left out is
    counted in `dropped`.
    """
    kept = _without_copies(tickets, rules.same_answers, dropped)
    alike = [[kept[place] for place in group] for group in groups(signatures[kept])]
    if rules.near_duplicates == "drop":
        worse = {place for group in alike for place in _worse(group, tickets)}
        dropped["near duplicate of a ticket"] += len(worse)
        units = _units([place for place in kept if place not in worse], tickets, ())
    else:
        units = _units(kept, tickets, alike)
    splits = _split(units, tickets, rules, dropped)
    cap = _cap_customers(splits, tickets, article_examples, dropped)
    customers = {tickets[place].customer for place in splits} - {""}
    return Splits(
        by_place=dict(sorted(splits.items())),
        duplicate_groups=len(alike),
        duplicates=sum(len(group) - 1 for group in alike),
        customer_cap=cap,
        customers=len(customers),
    )


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


def fraction(text: str) -> float:
    """A number from 0 to below 1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def largest_cap(sizes: Sequence[int], others: int) -> int | None:
    """How many rows each customer may have, so that none has more than 5 % of the training set.

    `sizes` are the customers' rows and `others` the rows of nobody. None if no cap can hold: fewer
    than twenty customers and articles share the set. A lower cap than one that holds holds too, so
    halving finds the largest, and customers are gone through once for each halving.
    """

    def breaks(cap: int) -> bool:
        return cap > CUSTOMER_SHARE * (others + sum(min(size, cap) for size in sizes))

    cap = bisect_left(range(1, max(sizes, default=0) + 1), x=True, key=breaks)
    return cap or None


def _without_copies(
    tickets: Sequence[TicketSummary], same_answers: int, dropped: Counter[str]
) -> list[int]:
    best = sorted(
        range(len(tickets)), key=lambda place: (-tickets[place].trust, tickets[place].source)
    )
    pairs: set[tuple[str, str]] = set()
    answers: Counter[str] = Counter()
    kept = []
    for place in best:
        ticket = tickets[place]
        if (ticket.asked_hash, ticket.answer_hash) in pairs:
            dropped["exact duplicate of a ticket"] += 1
        elif answers[ticket.answer_hash] >= same_answers:
            dropped[f"answer given to {same_answers} others already"] += 1
        else:
            pairs.add((ticket.asked_hash, ticket.answer_hash))
            answers[ticket.answer_hash] += 1
            kept.append(place)
    return sorted(kept)


def _worse(group: Sequence[int], tickets: Sequence[TicketSummary]) -> list[int]:
    return sorted(group, key=lambda place: (tickets[place].trust, tickets[place].age))[:-1]


def _units(
    kept: Iterable[int], tickets: Sequence[TicketSummary], together: Iterable[Sequence[int]]
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
        if tickets[place].customer:
            parent[root(place)] = root(first.setdefault(tickets[place].customer, place))
    for group in together:
        for place in group[1:]:
            parent[root(place)] = root(group[0])
    units: dict[int, list[int]] = defaultdict(list)
    for place in kept:
        units[root(place)].append(place)
    return list(units.values())


def _split(
    units: Sequence[list[int]],
    tickets: Sequence[TicketSummary],
    rules: SplitRules,
    dropped: Counter[str],
) -> dict[int, Split]:
    ages = [sorted(tickets[place].age for place in unit) for unit in units]
    golden, moment = _golden(ages, rules.golden_share)
    splits: dict[int, Split] = {}
    for number, unit in enumerate(units):
        draw = fraction(f"{rules.seed}:split:{min(tickets[place].source for place in unit)}")
        for place in unit:
            newer = moment is not None and tickets[place].age >= moment
            if number in golden and newer:
                splits[place] = "golden"
            elif number in golden:
                dropped[OLDER] += 1
            elif newer:
                dropped[NEWER] += 1
            else:
                splits[place] = "validation" if draw < rules.validation_share else "train"
    return splits


def _golden(units: Sequence[list[Age]], share: float) -> tuple[frozenset[int], Age | None]:
    """Which customers are held out, and the moment from which on their rows count."""
    ages = sorted(age for unit in units for age in unit)
    wanted = round(len(ages) * share)
    if not wanted:
        return frozenset(), None
    moments = dict.fromkeys(ages[max(len(ages) - round(wanted * reach), 0)] for reach in _REACH)
    tried = [_held_out(units, moment, wanted) for moment in moments]
    _, _, held, moment = min(tried, key=lambda found: found[:2])
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


def _cap_customers(
    splits: dict[int, Split],
    tickets: Sequence[TicketSummary],
    article_examples: int,
    dropped: Counter[str],
) -> int | None:
    """Leaves out a customer's oldest rows beyond 5 % of the training set; the cap that was used."""
    by_customer: dict[str, list[int]] = defaultdict(list)
    for place, split in splits.items():
        if split == "train":
            by_customer[tickets[place].customer or tickets[place].source].append(place)
    cap = largest_cap([len(places) for places in by_customer.values()], article_examples)
    if cap is None:
        return None
    for places in by_customer.values():
        for place in sorted(places, key=lambda place: tickets[place].age)[:-cap]:
            del splits[place]
            dropped["more than 5 % from one customer"] += 1
    return cap
