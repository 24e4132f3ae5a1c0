"""Rewording a question for another epoch."""

from __future__ import annotations

import random

from trainer.tuning.batches import reworded


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
