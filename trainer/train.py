"""Second step: QLoRA on the examples, the loss on the answers only.

The adapter and its record are written to a folder; the checkpoint stays there until the end, so
the same command goes on after a crash or a disconnect.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.prompt import FORMAT
from trainer.loop import History, Task, forget_checkpoint, mean_loss, optimise
from trainer.prepare import read_examples
from trainer.quantised import load_in_four_bits, with_adapter
from trainer.record import Record, fingerprint, read_record, write_record
from trainer.rows import Row, opening, row
from trainer.settings import TrainingSettings
from trainer.wordings import reworded


@dataclass(frozen=True)
class _Rows:
    """Rows of the examples that fit, and how many did not."""

    examples: tuple[Example, ...]
    rows: tuple[Row, ...]
    too_long: int


def train(*, base: Path, examples: Path, out: Path, settings: TrainingSettings) -> Record:
    """Writes the adapter of `base` for the examples to `out` and returns its record.

    A finished training in `out` with the same settings and data is returned as it is.
    """
    mark = fingerprint(settings.to_row(), examples.read_text("utf-8"), str(base.resolve()))
    done = read_record(out)
    if done and done.settings.get("fingerprint") == mark:
        return done
    tokenizer = AutoTokenizer.from_pretrained(base)
    by_split = _by_split(read_examples(examples))
    training = _fitting(by_split["train"], tokenizer, settings)
    if not training.rows:
        raise BadInput(
            f"No example of {examples} fits {settings.row_tokens} tokens. Allow longer rows."
        )
    validation = _fitting(by_split["validation"], tokenizer, settings)
    model = with_adapter(load_in_four_bits(base, settings), settings)
    inner = model.get_base_model()
    rows = _epochs(training, tokenizer, settings)
    before = mean_loss(inner, validation.rows, settings.loop) if validation.rows else 0.0
    task = Task(model=inner, rows=rows, validation=validation.rows, fingerprint=mark)
    history = optimise(task, settings.loop, folder=out)
    history.validation = [{"step": 0, "loss": before}, *history.validation]
    model.save_pretrained(out)
    record = _record(base, settings, history, mark)
    counts = {
        "train": len(training.rows),
        "validation": len(validation.rows),
        "too_long": training.too_long + validation.too_long,
        "trainable": sum(one.numel() for one in inner.parameters() if one.requires_grad),
    }
    record = replace(record, counts=counts, dataset_sha256=fingerprint(examples.read_text("utf-8")))
    write_record(record, out)
    forget_checkpoint(out)
    return record


def _by_split(examples: Sequence[Example]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {"train": [], "validation": [], "golden": []}
    for example in examples:
        found[example.split].append(example)
    return found


def _fitting(examples: Sequence[Example], tokenizer: Any, settings: TrainingSettings) -> _Rows:
    """Rows that are cut would teach to break off, so those too long are left out and counted."""
    pairs = [(one, row(one, tokenizer, budget=settings.prompt_tokens)) for one in examples]
    kept = [pair for pair in pairs if len(pair[1].ids) <= settings.row_tokens]
    return _Rows(
        tuple(example for example, _ in kept),
        tuple(made for _, made in kept),
        len(pairs) - len(kept),
    )


def _epochs(
    training: _Rows, tokenizer: Any, settings: TrainingSettings
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


def _record(base: Path, settings: TrainingSettings, history: History, mark: str) -> Record:
    return Record(
        step="train",
        base=base.name,
        method=f"QLoRA (NF4, double quantisation), rank {settings.rank}, all linear layers",
        prompt_format=FORMAT,
        prompt_tokens=settings.prompt_tokens,
        settings={**settings.to_row(), "fingerprint": mark},
        history={
            "validation": history.validation,
            "steps": history.steps,
            "seconds": round(history.seconds, 1),
            "tokens": history.tokens,
        },
    )
