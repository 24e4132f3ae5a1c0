"""Finding passages for a training prompt, and rewording a question."""

from __future__ import annotations

import random

from backend.domain.passage import Passage
from trainer.data.passages import helpful, nearest, shelf
from trainer.tuning.batches import reworded

SHELF = shelf(
    [
        (Passage("solved:1", "solved", "Login", "Click the link in the mail."), "I cannot log in"),
        (Passage("solved:2", "solved", "Bill", "Open Billing and click it."), "Where is my bill"),
        (Passage("solved:3", "solved", "Locked", "Click the link in the mail!"), "Account locked"),
    ]
)


def test_the_nearest_passage_comes_first_and_one_can_be_kept_out() -> None:
    assert [one.key for one in nearest("my bill is where", SHELF)] == ["solved:2"]
    assert nearest("my bill is where", SHELF, but="solved:2") == []


def test_a_helpful_passage_says_what_the_answer_says() -> None:
    found = helpful("my bill account", "Hi! Click the link in the mail.", SHELF, but="solved:1")

    assert found is not None
    assert found.key == "solved:3"
    assert helpful("bill", "Something else entirely", SHELF) is None


def test_a_question_stays_recognisable_when_reworded() -> None:
    question = "Import fails\n\nHello. The import of my list fails with an error. What can I do?"
    known = set(question.lower().split())

    variations = [reworded(question, random.Random(seed)) for seed in range(200)]

    assert len(set(variations)) > 50
    for variation in variations:
        words = variation.lower().split()
        assert words
        assert sum(word in known for word in words) >= len(words) / 2
    assert reworded(question, random.Random(7)) == reworded(question, random.Random(7))
