"""The order of candidates, balanced and hidden; the state of a suggestion from its candidates."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import BadInput
from backend.domain.suggestion import (
    FINISHED,
    CandidateState,
    SuggestionState,
    balanced_order,
    suggestion_state,
)

NAMES = ["gpt", "llama", "mistral", "nearest"]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("block", [0, 1, 7])
def test_each_order_comes_once_in_a_block_of_turns(size: int, block: int) -> None:
    names = NAMES[:size]
    turns = math.factorial(size)

    orders = [
        tuple(balanced_order(names, seed=5, turn=turn))
        for turn in range(block * turns, (block + 1) * turns)
    ]

    assert sorted(orders) == sorted(itertools.permutations(names))


def test_each_model_stands_in_each_place_equally_often() -> None:
    places: Counter[tuple[int, str]] = Counter()
    for turn in range(24):
        places.update(enumerate(balanced_order(NAMES, seed=1, turn=turn)))

    assert set(places.values()) == {6}
    assert len(places) == 16


def test_the_same_seed_and_turn_give_the_same_order_however_the_names_come() -> None:
    for names in itertools.permutations(NAMES[:3]):
        assert balanced_order(names, seed=9, turn=4) == balanced_order(NAMES[:3], seed=9, turn=4)


def test_the_next_order_cannot_be_told_from_the_block_before_or_another_seed() -> None:
    def block(seed: int, number: int) -> tuple[tuple[str, ...], ...]:
        turns = range(number * 6, number * 6 + 6)
        return tuple(tuple(balanced_order(NAMES[:3], seed=seed, turn=turn)) for turn in turns)

    assert len({block(seed, number) for seed in range(5) for number in range(5)}) > 20


@pytest.mark.parametrize("names", [[], ["m"] * 7])
def test_none_or_more_than_six_models_are_refused(names: list[str]) -> None:
    with pytest.raises(BadInput, match="1 to 6 models"):
        balanced_order(names, seed=0, turn=0)


STATES: list[tuple[str, SuggestionState]] = [
    ("queued queued", "queued"),
    ("queued writing", "writing"),
    ("queued done", "writing"),
    ("writing failed", "writing"),
    ("queued cancelled", "writing"),
    ("done failed cancelled", "done"),
    ("done done", "done"),
    ("failed failed", "failed"),
    ("failed cancelled", "cancelled"),
    ("cancelled cancelled", "cancelled"),
]


@pytest.mark.parametrize(("candidates", "state"), STATES)
def test_a_suggestions_state(candidates: str, state: SuggestionState) -> None:
    words: list[CandidateState] = candidates.split()  # type: ignore[assignment]

    assert suggestion_state(words) == state


CANDIDATES = st.sampled_from(["queued", "writing", "done", "failed", "cancelled"])


@given(st.lists(CANDIDATES, min_size=1, max_size=6))
def test_a_suggestion_is_finished_when_all_its_candidates_are(states: list[CandidateState]) -> None:
    finished = all(state in FINISHED for state in states)

    assert (suggestion_state(states) in FINISHED) == finished
    assert suggestion_state(states) == suggestion_state(states[::-1])
