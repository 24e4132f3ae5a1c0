"""One click: a ticket and its candidates, in an order that hides which model wrote which."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import Literal

from backend.domain.errors import BadInput

CandidateState = Literal["queued", "writing", "done", "failed", "cancelled"]
SuggestionState = Literal["queued", "writing", "done", "failed", "cancelled"]
OutcomeKind = Literal["inserted", "copied", "edited", "discarded", "sent"]
Prefer = Literal["now", "background"]

FINISHED: frozenset[str] = frozenset({"done", "failed", "cancelled"})
OUTCOMES: tuple[OutcomeKind, ...] = ("inserted", "copied", "edited", "discarded", "sent")
LABELS = "ABCDEF"
MAX_STEERING_CHARACTERS = 500


def balanced_order(models: Sequence[str], *, seed: int, turn: int) -> list[str]:
    """The models in the order of their labels A, B, C … for the `turn`-th suggestion (from 0).

    Permuted blocks: every n! turns hold each of the n! orders once, shuffled by seed and block,
    so each model stands in each place equally often and no order can be guessed from the last.
    """
    if not 0 < len(models) <= len(LABELS):
        raise BadInput(f"A suggestion has 1 to {len(LABELS)} models, not {len(models)}.")
    block, place = divmod(turn, math.factorial(len(models)))
    orders = list(itertools.permutations(sorted(models)))
    random.Random(f"{seed}:{block}").shuffle(orders)  # noqa: S311 - balance, not secrecy
    return list(orders[place])


def suggestion_state(states: Sequence[CandidateState]) -> SuggestionState:
    """The state of a suggestion, from those of its candidates.

    Writing while any candidate is queued or writing and one has begun; done if at least one
    candidate is; failed if every one failed; cancelled if none is done and one was cancelled.
    """
    if any(state not in FINISHED for state in states):
        return "queued" if all(state == "queued" for state in states) else "writing"
    if "done" in states:
        return "done"
    return "cancelled" if "cancelled" in states else "failed"
