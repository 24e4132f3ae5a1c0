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

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.prompt import FORMAT
from trainer import checkpoints
from trainer.chat import tokenizer_of
from trainer.forecast import forecast
from trainer.loop import History, Task, optimise
from trainer.prepare import read_examples
from trainer.probe import probe
from trainer.quantised import load_in_four_bits, with_adapter
from trainer.record import Record, fingerprint, read_record, write_record
from trainer.rows import Row, opening, row
from trainer.settings import TrainingSettings
from trainer.watching import Watch
from trainer.wordings import reworded


@dataclass(frozen=True)
class _Rows:
    """Rows of the examples that fit, and how many did not."""

    examples: tuple[Example, ...]
    rows: tuple[Row, ...]
    too_long: int


def train(
    *,
    base: Path,
    examples: Path,
    out: Path,
    settings: TrainingSettings,
    say: Callable[[str], None] = lambda _: None,
) -> Record:
    """Writes the adapter of `base` for the examples to `out` and returns its record.

    A finished training in `out` with the same settings and data is returned as it is. `say` hears
    the forecast before the training begins. Raises TooLittleMemory if not even one row fits.
    """
    text = examples.read_text("utf-8")
    mark = fingerprint(_lasting(settings), text, str(base.resolve()))
    done = read_record(out)
    if done and done.settings.get("fingerprint") == mark:
        return done
    tokenizer = tokenizer_of(base)
    by_split = _by_split(read_examples(examples))
    training = _fitting(by_split["train"], tokenizer, settings)
    if not training.rows:
        raise BadInput(
            f"No example of {examples} fits {settings.row_tokens} tokens. Allow longer rows."
        )
    validation = _fitting(by_split["validation"], tokenizer, settings)
    expected = forecast(base, training.rows, settings)
    say(str(expected))
    model = with_adapter(load_in_four_bits(base, settings), settings)
    inner = model.get_base_model()
    seen = probe(inner, training.rows, settings.loop, at_once=expected.rows_at_once)
    hours = seen.hours(training.rows, settings.loop.epochs)
    say(f"Time: about {_hours(hours)} at most, {seen.rows_at_once} rows at once.")
    out.mkdir(parents=True, exist_ok=True)
    watch = Watch(model, tokenizer, validation.examples[: settings.samples], settings, out)
    task = Task(
        model=inner,
        rows=_epochs(training, tokenizer, settings),
        validation=validation.rows,
        fingerprint=mark,
        rows_at_once=seen.rows_at_once,
        watch=watch,
    )
    history = optimise(task, settings.loop, folder=out)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    counts = {
        "train": len(training.rows),
        "validation": len(validation.rows),
        "too_long": training.too_long + validation.too_long,
        "trainable": sum(one.numel() for one in inner.parameters() if one.requires_grad),
    }
    record = _record(base, settings, history, mark)
    record = replace(record, counts=counts, dataset_sha256=fingerprint(text))
    write_record(record, out)
    checkpoints.forget(out)
    return record


def _lasting(settings: TrainingSettings) -> dict[str, Any]:
    """The settings that change the result: a training can go on with others of the rest."""
    loop = replace(settings.loop, rows_at_once=0, threads=0, checkpoint_minutes=0.0)
    return replace(settings, loop=loop, samples=0).to_row()


def _hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(hours * 60))} minutes"


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
            "best": history.best,
            "validation": history.validation,
            "steps": history.steps,
            "seconds": round(history.seconds, 1),
            "tokens": history.tokens,
        },
    )
