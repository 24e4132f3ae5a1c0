"""Writes a question a little differently, as another customer in another mood would.

A help desk has few wordings for each problem. A model that sees them over and over learns the
wording by heart instead of the problem, so each epoch shows a variation: without the subject,
without a sentence, in small letters, with words left out and letters swapped.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def reworded(question: str, chance: random.Random) -> str:
    """A variation of the question; at least some of its words stay, in their order."""
    subject, blank, text = question.partition("\n\n")
    if not blank:
        subject, text = "", question
    if subject and chance.random() < 0.3:
        subject = ""
    elif subject and chance.random() < 0.15:
        subject, text = "", subject
    text = _with_sentences_left_out(text, chance)
    kept = "\n\n".join(part for part in (subject, text) if part)
    for change, share in _CHANGES:
        if chance.random() < share:
            kept = change(kept, chance)
    return kept if any(character.isalnum() for character in kept) else question


def _with_sentences_left_out(text: str, chance: random.Random) -> str:
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    if len(sentences) < 2 or chance.random() < 0.4:
        return text
    kept = [sentence for sentence in sentences if chance.random() < 0.7]
    if chance.random() < 0.2:
        chance.shuffle(kept)
    return " ".join(kept or [chance.choice(sentences)])


def _in_small_letters(text: str, chance: random.Random) -> str:
    return text.lower() if chance.random() < 0.8 else text.upper()


def _without_words(text: str, chance: random.Random) -> str:
    return " ".join(word for word in text.split(" ") if chance.random() > 0.12)


def _with_slips(text: str, chance: random.Random) -> str:
    return " ".join(
        _slip(word, chance) if len(word) > 3 and chance.random() < 0.06 else word
        for word in text.split(" ")
    )


def _slip(word: str, chance: random.Random) -> str:
    place = chance.randrange(len(word) - 1)
    before, pair, after = word[:place], word[place : place + 2], word[place + 2 :]
    return before + chance.choice((pair[::-1], pair[0], pair + pair[1])) + after


_CHANGES: tuple[tuple[Callable[[str, random.Random], str], float], ...] = (
    (_in_small_letters, 0.25),
    (_without_words, 0.4),
    (_with_slips, 0.4),
)
