"""Ratings: which are refused, and the weighted mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import BadScore
from backend.domain.rating import Rating, overall
from backend.domain.rubric import QUALITY, RELEVANCE

KEYS = [criterion.key for criterion in QUALITY.criteria]
GOOD: dict[str, Any] = {"rater": "r-1", "rubric": QUALITY, "scores": {"content": 4}}
NOTHING: dict[str, Any] = {"scores": {}}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"scores": {"content": 0}}, "from 1 to 5"),
        ({"scores": {"content": 6}}, "from 1 to 5"),
        ({"scores": {"content": -1}}, "from 1 to 5"),
        ({"scores": {"content": 10**30}}, "from 1 to 5"),
        ({"scores": {"content": 4.0}}, "whole number"),
        ({"scores": {"content": float("nan")}}, "whole number"),
        ({"scores": {"content": "4"}}, "whole number"),
        ({"scores": {"content": True}}, "whole number"),
        ({"scores": {"content": None}}, "whole number"),
        ({"scores": {"tone": 4}}, "no criterion 'tone'"),
        ({"scores": {"content": 4, "relevance": 4}}, "no criterion 'relevance'"),
        ({"rubric": RELEVANCE}, "no criterion 'content'"),
        (NOTHING, "empty"),
        ({"rater": ""}, "needs a rater"),
        ({"rater": " \n"}, "needs a rater"),
        ({"rater": "r" * 201}, "needs a rater"),
        ({"comment": "c" * 20_001}, "20,000 characters"),
        ({"ideal_answer": "c" * 20_001}, "20,000 characters"),
    ],
)
def test_bad_ratings_are_refused(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(BadScore, match=says):
        Rating(**{**GOOD, **bad})


def test_what_is_as_long_as_allowed_is_kept() -> None:
    rating = Rating(**{**GOOD, "rater": "r" * 200, "comment": "c" * 20_000})

    assert (len(rating.rater), len(rating.comment)) == (200, 20_000)


@pytest.mark.parametrize(
    "said", [{"critical": True}, {"comment": "wrong"}, {"ideal_answer": "Do this."}]
)
def test_words_alone_are_a_rating_without_a_mean(said: dict[str, Any]) -> None:
    assert overall(Rating(**{**GOOD, **NOTHING, **said})) is None


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        ({"content": 5, "grammar": 5, "structure": 5, "style": 5}, 5.0),
        ({"content": 1, "grammar": 1, "structure": 1, "style": 1}, 1.0),
        ({"content": 5, "grammar": 1, "structure": 1, "style": 1}, 2.8),
        ({"content": 3, "grammar": 4, "structure": 5, "style": 2}, 3.45),
        ({"content": 4}, 4.0),
        ({"grammar": 1, "style": 5}, (4 * 1 + 3 * 5) / 7),
    ],
)
def test_the_mean_is_weighted_over_what_was_scored(scores: dict[str, int], mean: float) -> None:
    assert overall(Rating(**{**GOOD, "scores": scores})) == pytest.approx(mean)


@given(st.dictionaries(st.sampled_from(KEYS), st.integers(1, 5), min_size=1))
def test_the_mean_lies_between_the_lowest_and_the_highest_score(scores: dict[str, int]) -> None:
    mean = overall(Rating(**{**GOOD, "scores": scores}))

    assert mean is not None
    assert min(scores.values()) - 1e-9 <= mean <= max(scores.values()) + 1e-9
