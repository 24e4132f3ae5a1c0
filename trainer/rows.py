"""Examples become rows of token ids, rows become batches with little padding.

A row is a prompt and an answer; the loss counts the answer and its end token only. Prompt and
answer are tokenised so that the ids are those the model meets in serving, where the prompt ends
before the answer is known.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backend.domain.chat import SEAM
from backend.domain.errors import UnusableModel
from backend.domain.example import Example, training_messages
from backend.domain.prompt import Message
from trainer.dialect import Dialect, TokenizerDialect, finished_text, prompt_text

IGNORED = -100
_GROUPED_BATCHES = 16


@dataclass(frozen=True)
class Row:
    """Token ids; those from `answer_from` on are what the model is to learn."""

    ids: tuple[int, ...]
    answer_from: int

    @property
    def targets(self) -> int:
        """How many tokens the loss counts."""
        return len(self.ids) - max(self.answer_from, 1)


@dataclass(frozen=True)
class Batch:
    """Rows side by side, padded at the end: ids and labels of shape (rows, longest row)."""

    ids: torch.Tensor
    labels: torch.Tensor


def row(example: Example, tokenizer: Any, *, budget: int) -> Row:
    """The prompt as served, the answer and the end-of-turn token.

    Raises UnusableModel if the tokenizer's chat template cannot express that.
    """
    return row_of(training_messages(example, budget=budget), TokenizerDialect(tokenizer))


def row_of(messages: Sequence[Message], dialect: Dialect) -> Row:
    """The row of a prompt's messages and the answer, which is the last one.

    Raises UnusableModel if the chat template cannot express it.
    """
    prompt = prompt_text(messages[:-1], dialect)
    whole = finished_text(messages, dialect)
    if not whole.startswith(prompt):
        raise UnusableModel(
            "The chat template writes a finished turn differently from one that is to be written, "
            "so prompt and answer cannot be told apart. Use another chat template."
        )
    first = dialect.ids(prompt)
    ids = dialect.ids(whole)
    if ids[: len(first)] != first:
        ids = first + _continued(whole[len(prompt) :], dialect)
    return Row(tuple(_to_end_of_turn(ids, len(first), dialect.ends)), len(first))


def rendered(messages: Sequence[Message], tokenizer: Any) -> str:
    """The text of a prompt, up to where the answer begins."""
    return prompt_text(messages, TokenizerDialect(tokenizer)).replace(SEAM, "")


def opening(whole: Row, tokens: int) -> Row:
    """The row with only the first tokens of its answer.

    In these it is decided what the answer is about; where answers are much alike, the rest
    follows from them and drowns them in the mean loss. The model does not learn to break off,
    for there is no end token among the targets.
    """
    return Row(whole.ids[: whole.answer_from + tokens], whole.answer_from)


def _continued(text: str, dialect: Dialect) -> list[int]:
    """The tokens of a text in the middle of another, where none gets a space put in front."""
    mark, ids = dialect.plain("\n"), []
    for piece in text.split(SEAM):
        behind = dialect.plain("\n" + piece)
        ids += behind[len(mark) :] if behind[: len(mark)] == mark else dialect.plain(piece)
    return ids


def _to_end_of_turn(ids: list[int], start: int, ends: frozenset[int]) -> list[int]:
    """The ids without what the template writes after the end of the turn, such as a line break."""
    place = next((place for place in range(start, len(ids)) if ids[place] in ends), None)
    if place is None:
        raise UnusableModel(
            "The chat template does not end an answer with the tokenizer's end token, so the model "
            "would never learn to stop. Set eos_token to the token that ends a turn."
        )
    return ids[: place + 1]


def batches(rows: Sequence[Row], *, size: int, chance: random.Random) -> list[list[Row]]:
    """All rows in shuffled batches; rows of one batch have about the same length.

    Rows are shuffled, then sorted within stretches of some batches: padding shrinks and the
    order still differs from epoch to epoch.
    """
    shuffled = list(rows)
    chance.shuffle(shuffled)
    stretch = size * _GROUPED_BATCHES
    made = []
    for start in range(0, len(shuffled), stretch):
        near = sorted(shuffled[start : start + stretch], key=lambda one: len(one.ids))
        made += [near[place : place + size] for place in range(0, len(near), size)]
    chance.shuffle(made)
    return made


def _rounded(tokens: int) -> int:
    """Up to a multiple of 16: for each new length oneDNN keeps kernels and their memory."""
    return -(-tokens // 16) * 16


def batch(rows: Sequence[Row], *, padding: int = 0) -> Batch:
    """The rows as tensors. What pads stands at the end, where no token can attend to it."""
    longest = _rounded(max(len(one.ids) for one in rows))
    ids = torch.full((len(rows), longest), padding, dtype=torch.long)
    labels = torch.full((len(rows), longest), IGNORED, dtype=torch.long)
    for place, one in enumerate(rows):
        values = torch.tensor(one.ids, dtype=torch.long)
        ids[place, : len(values)] = values
        labels[place, one.answer_from : len(values)] = values[one.answer_from :]
    return Batch(ids, labels)
