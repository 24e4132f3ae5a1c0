"""With `-k`, files that cannot be meant are not imported; the others are."""

from __future__ import annotations

import pytest

from tests.selection import TESTS, files_with

ME = TESTS / "scripts" / "test_choosing_tests.py"


@pytest.mark.parametrize(
    "expression",
    [
        "choosing_tests",
        "test_files_that_hold_a_word_are_looked_at",
        "Choosing_Tests and (holds or nothing)",
        "test_files_that_hold_a_word_are_looked_at[a-parameter]",
    ],
)
def test_files_that_hold_a_word_are_looked_at(expression: str) -> None:
    assert ME in files_with(expression)


def test_files_that_hold_none_are_not() -> None:
    looked_at = files_with("test_files_that_hold_none_are_not")

    assert looked_at == [ME]


@pytest.mark.parametrize("expression", ["", "not choosing_tests", "".join(("no", "where", "9"))])
def test_every_file_is_looked_at_where_words_cannot_tell(expression: str) -> None:
    assert files_with(expression) == []
