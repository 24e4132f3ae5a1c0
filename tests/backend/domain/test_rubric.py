"""Rubrics: weights out of 20, anchors for each score, names and versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.domain.errors import BadScore, UnknownRubric
from backend.domain.rubric import (
    QUALITY,
    RELEVANCE,
    RUBRICS,
    WEIGHT_TOTAL,
    Criterion,
    Rubric,
    rubric_named,
)


def test_the_studys_weights_are_kept() -> None:
    shares = {one.key: one.weight / WEIGHT_TOTAL for one in QUALITY.criteria}

    assert shares == {"content": 0.45, "grammar": 0.2, "structure": 0.2, "style": 0.15}
    assert [one.weight for one in RELEVANCE.criteria] == [20]


@pytest.mark.parametrize("rubric", RUBRICS, ids=lambda rubric: rubric.name)
def test_every_criterion_can_be_shown(rubric: Rubric) -> None:
    keys = [one.key for one in rubric.criteria]

    assert len(set(keys)) == len(keys)
    for one in rubric.criteria:
        assert len(set(one.anchors)) == 5
        assert all((one.label, one.question, *one.anchors))
        assert one.weight > 0


@pytest.mark.parametrize("weight", [0, 8, 10])
def test_weights_that_do_not_add_up_are_refused(weight: int) -> None:
    first, *others = QUALITY.criteria

    with pytest.raises(BadScore, match="not 20"):
        replace(QUALITY, criteria=(replace(first, weight=weight), *others))


def test_a_criterion_is_found_by_its_key_only() -> None:
    assert QUALITY.criterion("style").weight == 3

    with pytest.raises(BadScore, match="content, grammar, structure, style"):
        QUALITY.criterion("Style")


def test_a_rubric_is_found_by_name_and_version() -> None:
    assert rubric_named("quality") is QUALITY
    assert rubric_named("relevance", 1) is RELEVANCE


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        ("Quality", None, "no rubric 'Quality'; there is quality v1"),
        ("quality", 2, "no rubric 'quality' v2;"),
        ("quality", 0, "no rubric 'quality' v0;"),
        ("", None, "no rubric ''"),
    ],
)
def test_an_unknown_rubric_is_no_default(name: str, version: int | None, says: str) -> None:
    with pytest.raises(UnknownRubric) as error:
        rubric_named(name, version)

    assert says in str(error.value)


def test_criteria_are_values() -> None:
    first = QUALITY.criteria[0]

    assert first == Criterion(first.key, first.label, first.question, first.weight, first.anchors)
