"""Rubrics in further languages: every text translated, nothing else changed."""

from __future__ import annotations

import pytest

from backend.domain.rubric import QUALITY, RUBRICS, Rubric, in_language, languages, translations


@pytest.mark.parametrize("rubric", RUBRICS, ids=lambda rubric: rubric.name)
@pytest.mark.parametrize("language", sorted(translations()))
def test_every_text_of_every_rubric_is_translated_and_nothing_else(
    rubric: Rubric, language: str
) -> None:
    there = in_language(rubric, language)

    assert (there.name, there.version) == (rubric.name, rubric.version)
    assert there.title != rubric.title
    for ours, theirs in zip(rubric.criteria, there.criteria, strict=True):
        assert (theirs.key, theirs.weight) == (ours.key, ours.weight)
        assert theirs.label not in ("", None, ours.label)
        assert theirs.question not in ("", None, ours.question)
        assert len(set(theirs.anchors)) == 5
        assert not set(theirs.anchors) & set(ours.anchors)
    keys = {criterion.key for criterion in rubric.criteria}
    assert set(translations()[language][rubric.name]["criteria"]) == keys


def test_a_language_without_words_gets_the_original() -> None:
    assert in_language(QUALITY, "fr") == QUALITY
    assert in_language(QUALITY, "en") == QUALITY
    assert languages() == ("en", "uk")
