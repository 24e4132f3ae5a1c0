"""Second step: QLoRA fine-tuning on the examples, the loss on the answers only.

The adapter and its record are written to a folder; the checkpoint stays there until the end, so
the same command goes on after a crash or a disconnect. Under `accelerate launch` it trains with
several processes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput, BadSettings
from backend.domain.prompt import FORMAT
from backend.system.files import sha256_of
from trainer.chat_format import save_template, tokenizer_of
from trainer.data.prepare import read_examples
from trainer.hub.hub_checkpoints import HubCheckpoints
from trainer.hub.repository import hub_here
from trainer.record import (
    ADAPTER_FILES,
    RECORD,
    TEMPLATE,
    Record,
    fingerprint,
    name_of_base,
    read_record,
    write_record,
)
from trainer.tensor_files import weight_files
from trainer.tuning import checkpoints
from trainer.tuning.batches import Fitting, by_split, epochs, fitting
from trainer.tuning.distributed import ALONE, ProcessGroup, joined, whole
from trainer.tuning.forecast import forecast, probe
from trainer.tuning.loop import History, TrainingTask, optimise, settle
from trainer.tuning.progress import CURVES, SAMPLES, SAMPLES_TEXT, TrainingProgress
from trainer.tuning.quantised_base import load_in_four_bits, with_adapter
from trainer.tuning.settings import TrainingSettings

Say = Callable[[str], None]
_OF_A_TRAINING = (RECORD, *ADAPTER_FILES, TEMPLATE, CURVES, SAMPLES, SAMPLES_TEXT)


@dataclass(frozen=True)
class Bookkeeping:
    """What belongs to a training and changes nothing of its result.

    `checkpoints_to` is a private hub repository, `base_name` what the base is called in the record
    and the card if neither its config nor its folder tells.
    """

    checkpoints_to: str = ""
    base_name: str = ""


NO_BOOKKEEPING = Bookkeeping()


@dataclass(frozen=True)
class _Work:
    """One training: what it is of, where it is written, and the processes that share it."""

    base: Path
    examples: Path
    out: Path
    settings: TrainingSettings
    group: ProcessGroup = ALONE
    bookkeeping: Bookkeeping = NO_BOOKKEEPING

    @cached_property
    def fingerprint(self) -> str:
        """Names data, base and all settings that change the result, on whatever machine."""
        loop = replace(self.settings.loop, rows_at_once=0, threads=0, checkpoint_minutes=0.0)
        lasting = replace(self.settings, loop=loop, samples=0).to_row()
        weights = [(file.name, file.stat().st_size) for file in weight_files(self.base)]
        config = self.base / "config.json"
        shape = config.read_text("utf-8") if config.exists() else ""
        return fingerprint(lasting, self.examples.read_text("utf-8"), shape, weights)


def train(
    *,
    base: Path,
    examples: Path,
    out: Path,
    settings: TrainingSettings,
    bookkeeping: Bookkeeping = NO_BOOKKEEPING,
    say: Say = lambda _: None,
) -> Record:
    """Writes the adapter of `base` for the examples to `out` and returns its record.

    A finished training in `out` with the same settings and data is returned as it is; one that
    was cut off goes on, also on another machine if its checkpoints go to the hub. One with other
    settings or data is archived. `say` hears the forecast before the training begins. Raises
    TooLittleMemory if not even one row fits, BadInput without an example that does.
    """
    with joined() as group:
        work = _Work(base, examples, out, settings, group, bookkeeping)
        done = group.of_leader(finished(out))
        if done and done.settings.get("fingerprint") == work.fingerprint:
            return done
        check(settings, group)
        return _trained(work, say if group.leads else lambda _: None)


def check(settings: TrainingSettings, group: ProcessGroup) -> None:
    """Raises BadSettings for what several processes cannot do together."""
    if group.size > 1 and settings.loop.optimiser != "adamw":
        raise BadSettings(
            "The 8-bit optimiser's moments cannot be split among processes. Give "
            "--optimiser adamw: each process keeps only its share of them anyway."
        )


def _trained(work: _Work, say: Say) -> Record:
    settings, group = work.settings, work.group
    tokenizer = tokenizer_of(work.base)
    training, validation = _rows(work, tokenizer)
    expected = forecast(work.base, training.rows, settings, processes=group.size)
    say(str(expected))
    model = with_adapter(load_in_four_bits(work.base, settings), settings)
    inner = model.get_base_model()
    trainable = sum(weight.numel() for weight in inner.parameters() if weight.requires_grad)
    group.split(inner)
    settle(settings.loop, device=inner.device.type)  # so that the probe is timed as the steps are
    seen = probe(inner, training.rows, settings.loop, at_once=expected.rows_at_once, group=group)
    say(seen.told(training.rows, settings.loop.epochs))
    _make_place(work, say)
    kept = _hub_checkpoints(work, say)
    task = TrainingTask(
        model=inner,
        rows=epochs(training, tokenizer, settings),
        validation=validation.rows,
        fingerprint=work.fingerprint,
        rows_at_once=seen.rows_at_once,
        group=group,
        watch=TrainingProgress(model, tokenizer, validation.examples, settings, work.out, group),
        kept=kept.put if kept else lambda _: None,
    )
    history = optimise(task, settings.loop, folder=work.out)
    counts = {
        "train": len(training.rows),
        "validation": len(validation.rows),
        "too_long": training.too_long + validation.too_long,
        "trainable": trainable,
        "processes": group.size,
    }
    record = replace(_record(work, history), counts=counts, passages=_passages(training, settings))
    _save(model, tokenizer, record, work)
    if kept:
        kept.close()
        kept.clear()
    return record


def _make_place(work: _Work, say: Say) -> None:
    """The folder, without what a training with other settings has left in it."""
    work.out.mkdir(parents=True, exist_ok=True)
    archived = archive(work.out) if work.group.leads else None
    if archived:
        say(f"The adapter of an earlier training with other settings or data is now in {archived}.")


def _hub_checkpoints(work: _Work, say: Say) -> HubCheckpoints | None:
    """The checkpoints on the hub, the last one fetched; every process waits for that."""
    kept = None
    place = work.bookkeeping.checkpoints_to
    if place and work.group.leads:
        kept = HubCheckpoints(place, mark=work.fingerprint, hub=hub_here(), say=say)
        if kept.fetch(work.out):
            say(f"Going on from the checkpoint in {place}.")
    work.group.of_each(None)
    return kept


def _rows(work: _Work, tokenizer: Any) -> tuple[Fitting, Fitting]:
    found = by_split(read_examples(work.examples))
    training = fitting(found["train"], tokenizer, work.settings)
    if not training.rows:
        raise BadInput(
            f"No example of {work.examples} fits {work.settings.row_tokens} tokens. "
            "Allow longer rows."
        )
    return training, fitting(found["validation"], tokenizer, work.settings)


def _passages(training: Fitting, settings: TrainingSettings) -> int:
    """How many passages a prompt of this training has at most."""
    most = max(len(example.passages) for example in training.examples)
    return most if settings.passage_share else 0


def _save(model: Any, tokenizer: Any, record: Record, work: _Work) -> None:
    """Writes the adapter, then its record, then removes what only a resumed run needs."""
    adapter = {
        name: whole(weight.detach())
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    if work.group.leads:
        model.save_pretrained(work.out, state_dict=adapter)
        save_template(work.base, tokenizer, work.out)
        write_record(record, work.out)
        checkpoints.forget(work.out)
    work.group.of_each(None)  # nobody leaves before it is written


def _record(work: _Work, history: History) -> Record:
    settings = work.settings
    return Record(
        step="train",
        base=work.bookkeeping.base_name or name_of_base(work.base),
        method=f"QLoRA (NF4, double quantisation), rank {settings.rank}, all linear layers",
        dataset_sha256=sha256_of(work.examples),
        prompt_format=FORMAT,
        prompt_tokens=settings.prompt_tokens,
        settings={**settings.to_row(), "fingerprint": work.fingerprint},
        history={
            "best": history.best,
            "validation": history.validation,
            "steps": history.steps,
            "seconds": round(history.seconds, 1),
            "tokens": history.tokens,
        },
    )


def finished(folder: Path) -> Record | None:
    """The record of the training that was finished in a folder; None if it cannot be read."""
    try:
        return read_record(folder)
    except BadInput:
        return None


def archive(folder: Path) -> Path | None:
    """Moves what a finished training left in a folder into a new one inside, which is returned.

    Else `merge` would take the old adapter for the new one's, should that never come to its end.
    """
    if not (folder / RECORD).exists():
        return None
    found = (re.fullmatch(r"earlier-(\d+)", path.name) for path in folder.iterdir())
    place = folder / f"earlier-{max((int(name[1]) for name in found if name), default=0) + 1}"
    place.mkdir()
    for name in _OF_A_TRAINING:  # the record first: without it nothing is merged
        if (folder / name).exists():
            (folder / name).rename(place / name)
    return place
