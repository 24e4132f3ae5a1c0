"""How alike two texts are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.knowledge.ranking import (
    Weights,
    asked_vector,
    length,
    rarity,
    similarity,
    term_weights,
    with_citations,
)

counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 9)).map(Counter)
rarities = st.fixed_dictionaries({term: st.floats(0.01, 1) for term in "abcd"})


def alike(asked: str, text: str, title: str = "", known: dict[str, float] | None = None) -> float:
    passage = term_weights(Counter(title.split()), Counter(text.split()))
    return likeness(term_weights({}, Counter(asked.split())), passage, known or {})


def likeness(asked: Weights, passage: Weights, known: Weights) -> float:
    return similarity(asked_vector(asked, known), passage, known, length(passage, known))


def test_rarity_runs_from_one_for_unseen_terms_down_to_nearly_none() -> None:
    assert rarity(0, 5000) == pytest.approx(1.0)
    assert rarity(0, 5) == pytest.approx(1.0)
    assert rarity(5000, 5000) < 0.001
    assert rarity(6000, 5000) == rarity(5000, 5000)
    assert rarity(10, 5000) > rarity(100, 5000)


@given(counts, counts, counts, rarities)
def test_similarity_stays_from_zero_to_one(
    asked: Counter[str], title: Counter[str], text: Counter[str], known: dict[str, float]
) -> None:
    score = likeness(term_weights({}, asked), term_weights(title, text), known)

    assert 0 <= score <= 1
    assert (score > 0) == bool(asked.keys() & (title.keys() | text.keys()))


def test_more_shared_words_are_more_alike() -> None:
    assert alike("reset password", "reset password now") > alike("reset password", "reset it now")


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    known = {"please": 0.05, "dkim": 0.9}

    assert alike("please dkim", "dkim", known=known) > alike("please dkim", "please", known=known)


def test_a_word_in_the_title_counts_more() -> None:
    assert alike("dkim", "set the record", title="dkim") > alike("dkim", "dkim the record")


def test_words_found_nowhere_count_against_the_passage() -> None:
    assert alike("dkim xyzzy plugh", "dkim") < alike("dkim", "dkim")


def test_a_single_shared_word_is_never_a_sure_thing() -> None:
    long = " ".join(f"word{number}" for number in range(40))

    assert alike("dkim", "dkim") < 0.6
    assert alike(long, long) > 0.9


def test_citations_only_add_and_never_reach_beyond_one() -> None:
    assert with_citations(0.3, []) == pytest.approx(0.3)
    assert 0.3 < with_citations(0.3, [0.5]) < with_citations(0.3, [0.5, 0.5]) < 1
    assert with_citations(1.0, [1.0]) == 1.0
