"""What a rater judges a candidate by.

Weights are integers out of 20 (content 9, grammar 4, structure 4, style 3 are .45 .20 .20 .15), so
that sums are exact and ties stay ties.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from backend.domain.errors import BadScore, UnknownRubric

ORIGINAL = "en"
LOWEST, HIGHEST = 1, 5
SCALE = range(LOWEST, HIGHEST + 1)
WEIGHT_TOTAL = 20
NEGATIVE_UP_TO = 2  # the study's threshold: 1-2 negative, 3-5 positive


@dataclass(frozen=True)
class Criterion:
    """One thing to judge, its weight out of 20 and an anchor text for each score from 1 to 5."""

    key: str
    label: str
    question: str
    weight: int
    anchors: tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Rubric:
    """Criteria under a name and a version; a changed rubric is a new version."""

    name: str
    version: int
    title: str
    criteria: tuple[Criterion, ...]

    def __post_init__(self) -> None:
        total = sum(criterion.weight for criterion in self.criteria)
        if total != WEIGHT_TOTAL:
            raise BadScore(f"Weights of rubric {self.name} add up to {total}, not {WEIGHT_TOTAL}.")

    def criterion(self, key: str) -> Criterion:
        """The criterion with this key. Raises BadScore for any other."""
        for criterion in self.criteria:
            if criterion.key == key:
                return criterion
        keys = ", ".join(criterion.key for criterion in self.criteria)
        raise BadScore(f"Rubric {self.name} has no criterion {key!r}; it has {keys}.")


QUALITY = Rubric(
    name="quality",
    version=1,
    title="Four criteria",
    criteria=(
        Criterion(
            key="content",
            label="Content",
            question="Does it answer what was asked, correctly and completely?",
            weight=9,
            anchors=(
                "Wrong or beside the point",
                "Mostly wrong, or misses the main question",
                "Right in part; facts or steps must be added",
                "Right; a detail is missing",
                "Right and complete; can go out as it is",
            ),
        ),
        Criterion(
            key="grammar",
            label="Grammar",
            question="Is it free of language mistakes?",
            weight=4,
            anchors=(
                "Cannot be understood",
                "Many mistakes",
                "Some mistakes, meaning is clear",
                "A slip or two",
                "No mistakes",
            ),
        ),
        Criterion(
            key="structure",
            label="Structure",
            question="Is it in a useful order, with steps and paragraphs where they help?",
            weight=4,
            anchors=(
                "No order at all",
                "Hard to follow",
                "Can be followed with effort",
                "Clear",
                "Clear and easy to act on",
            ),
        ),
        Criterion(
            key="style",
            label="Style",
            question="Does it sound like a polite, professional reply of this team?",
            weight=3,
            anchors=(
                "Rude or strange",
                "Cold or out of place",
                "Acceptable",
                "Good",
                "Just as our best agent would write",
            ),
        ),
    ),
)

RELEVANCE = Rubric(
    name="relevance",
    version=1,
    title="Relevance (first scheme of the study)",
    criteria=(
        Criterion(
            key="relevance",
            label="Relevance",
            question="How well does the reply fit the query?",
            weight=WEIGHT_TOTAL,
            anchors=("Not at all", "Hardly", "In part", "Well", "Fully"),
        ),
    ),
)

RUBRICS = (QUALITY, RELEVANCE)


def rubric_named(name: str, version: int | None = None) -> Rubric:
    """The rubric with this name, in this or its newest version. Raises UnknownRubric."""
    found = [
        rubric
        for rubric in RUBRICS
        if rubric.name == name and (version is None or rubric.version == version)
    ]
    if not found:
        names = ", ".join(f"{rubric.name} v{rubric.version}" for rubric in RUBRICS)
        wanted = f"{name!r}" if version is None else f"{name!r} v{version}"
        raise UnknownRubric(f"There is no rubric {wanted}; there is {names}.")
    return max(found, key=lambda rubric: rubric.version)


def in_language(rubric: Rubric, language: str) -> Rubric:
    """The rubric with its texts in this language; as it is where it has none in it."""
    texts = translations().get(language, {}).get(rubric.name)
    if texts is None:
        return rubric
    criteria = tuple(
        _translated(criterion, texts["criteria"][criterion.key]) for criterion in rubric.criteria
    )
    return replace(rubric, title=texts["title"], criteria=criteria)


@cache
def translations() -> Mapping[str, Mapping[str, Any]]:
    """The texts of `languages/*.toml` by language and rubric, read once.

    A rating means the same in each language, so a translation is no new version. A further language
    is a further file; a test holds each against every rubric.
    """
    folder = resources.files("backend.domain").joinpath("languages")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8")) for file in files
    }


def languages() -> tuple[str, ...]:
    """The languages that rubrics can be shown in."""
    return (ORIGINAL, *translations())


def _translated(criterion: Criterion, texts: Mapping[str, Any]) -> Criterion:
    return replace(
        criterion,
        label=texts["label"],
        question=texts["question"],
        anchors=tuple(texts["anchors"]),
    )
