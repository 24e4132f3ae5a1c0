"""Which rows a model is trained on in each epoch: the examples that fit, varied anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.domain.example import Example
from trainer.rows import Row, opening, row
from trainer.settings import TrainingSettings
from trainer.wordings import reworded


@dataclass(frozen=True)
class Fitting:
    """Rows of the examples that fit, and how many did not."""

    examples: tuple[Example, ...]
    rows: tuple[Row, ...]
    too_long: int


def by_split(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """The examples of each split, in their order."""
    found: dict[str, list[Example]] = {"train": [], "validation": [], "golden": []}
    for example in examples:
        found[example.split].append(example)
    return found


def fitting(examples: Sequence[Example], tokenizer: Any, settings: TrainingSettings) -> Fitting:
    """Rows that are cut would teach to break off, so those too long are left out and counted."""
    pairs = [(one, row(one, tokenizer, budget=settings.prompt_tokens)) for one in examples]
    kept = [pair for pair in pairs if len(pair[1].ids) <= settings.row_tokens]
    return Fitting(
        tuple(example for example, _ in kept),
        tuple(made for _, made in kept),
        len(pairs) - len(kept),
    )


def epochs(
    training: Fitting, tokenizer: Any, settings: TrainingSettings
) -> Callable[[int], list[Row]]:
    """The rows of each epoch: some reworded, some without their passages."""

    def rows(epoch: int) -> list[Row]:
        made = []
        for example, plain in zip(training.examples, training.rows, strict=True):
            chance = random.Random(  # noqa: S311 - variety, not secrecy
                f"{settings.loop.seed}:{epoch}:{example.source}"
            )
            varied = _varied(example, settings, chance)
            if epoch < settings.opening_epochs:
                varied = replace(varied, passages=())
            kept = plain
            if varied != example:
                other = row(varied, tokenizer, budget=settings.prompt_tokens)
                kept = other if len(other.ids) <= settings.row_tokens else plain
            if epoch < settings.opening_epochs:
                kept = opening(kept, settings.opening_tokens)
            made.append(kept)
        return made

    return rows


def _varied(example: Example, settings: TrainingSettings, chance: random.Random) -> Example:
    if chance.random() < settings.wording_share:
        example = replace(example, question=reworded(example.question, chance))
    if chance.random() >= settings.passage_share:
        return replace(example, passages=())
    if settings.wording_share and chance.random() < settings.wording_share / 2:
        passages = list(example.passages)
        chance.shuffle(passages)
        return replace(example, passages=tuple(passages))
    return example
