"""The optimisation loop that pretraining and tuning share.

It can be killed at any moment: the same call goes on from the last checkpoint with the same data
order, because order and rewording depend only on seed and epoch.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from backend.domain.errors import BadSettings
from trainer.rows import IGNORED, Batch, Row, batch, batches
from trainer.settings import LoopSettings

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Task:
    """A model, its rows in each epoch (always as many) and rows to measure on.

    `fingerprint` names data and settings; a checkpoint of another one is refused.
    """

    model: Any
    rows: Callable[[int], Sequence[Row]]
    validation: Sequence[Row]
    fingerprint: str


@dataclass
class History:
    """How a run went: one entry a step, one for each measurement, and time spent on both."""

    steps: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0


def optimise(task: Task, settings: LoopSettings, *, folder: Path) -> History:
    """Trains what is trainable in the model and returns how it went.

    Raises BadSettings if `folder` has a checkpoint of another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    run = _Run(task, settings, folder / CHECKPOINT)
    run.resume()
    with tqdm(total=run.total, initial=run.done, unit="step", mininterval=2) as bar:
        while run.done < run.total:
            loss = run.step()
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()
    run.save()
    return run.history


def forget_checkpoint(folder: Path) -> None:
    """Removes the checkpoint of a run that has ended well."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def answer_loss(model: Any, one: Batch) -> torch.Tensor:
    """Summed cross-entropy of the targets.

    Logits are computed only where a target follows: with a prompt of four fifths of the row,
    that saves four fifths of the largest matrix of a small model.
    """
    labels = one.labels[:, 1:]
    chosen = labels != IGNORED
    hidden = model.base_model(input_ids=one.ids, use_cache=False).last_hidden_state
    logits = model.get_output_embeddings()(hidden[:, :-1][chosen])
    return cross_entropy(logits.float(), labels[chosen], reduction="sum")


def mean_loss(model: Any, rows: Sequence[Row], settings: LoopSettings) -> float:
    """Cross-entropy per target over all rows, in nats."""
    model.eval()
    ordered = sorted(rows, key=lambda one: len(one.ids))
    total = 0.0
    with torch.no_grad(), _precision(model, settings):
        for start in range(0, len(ordered), settings.batch_rows):
            chosen = ordered[start : start + settings.batch_rows]
            total += float(answer_loss(model, _on_device(batch(chosen), model)))
    return total / max(1, sum(one.targets for one in rows))


class _Run:
    def __init__(self, task: Task, settings: LoopSettings, checkpoint: Path) -> None:
        self.task, self.settings, self.checkpoint = task, settings, checkpoint
        self.trainable = {
            name: weight for name, weight in task.model.named_parameters() if weight.requires_grad
        }
        self.optimiser = torch.optim.AdamW(
            self.trainable.values(),
            lr=settings.learning_rate,
            betas=(0.9, settings.second_moment),
            weight_decay=settings.weight_decay,
        )
        rows_a_step = settings.batch_rows * settings.accumulation
        self.steps_an_epoch = math.ceil(len(task.rows(0)) / rows_a_step)
        self.total = self.steps_an_epoch * settings.epochs
        self.done = 0
        self.history = History()
        self.plan: tuple[int, list[list[Row]]] = (-1, [])
        self.saved_at = time.monotonic()

    def step(self) -> float:
        started = time.monotonic()
        epoch, place = divmod(self.done, self.steps_an_epoch)
        size = self.settings.accumulation
        chosen = self._batches(epoch)[place * size : (place + 1) * size]
        rate = self._learning_rate()
        loss = self._update(chosen, rate)
        self.done += 1
        self.history.steps.append({"step": self.done, "loss": loss, "learning_rate": rate})
        self.history.tokens += sum(len(one.ids) for rows in chosen for one in rows)
        if self.done % self.steps_an_epoch == 0 and self.task.validation:
            measured = mean_loss(self.task.model, self.task.validation, self.settings)
            self.history.validation.append({"step": self.done, "loss": measured})
        self.history.seconds += time.monotonic() - started
        if time.monotonic() - self.saved_at > self.settings.checkpoint_minutes * 60:
            self.save()
        return loss

    def save(self) -> None:
        """Writes the checkpoint beside the old one and swaps them: a kill leaves one whole."""
        state = {
            "fingerprint": self.task.fingerprint,
            "done": self.done,
            "weights": self.trainable,
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "history": asdict(self.history),
        }
        unfinished = self.checkpoint.with_suffix(".unfinished")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        if state["fingerprint"] != self.task.fingerprint:
            raise BadSettings(
                f"{self.checkpoint} is of a run with other data or settings. Give the same ones "
                "to go on with it, choose another folder, or remove the file to start anew."
            )
        with torch.no_grad():
            for name, weight in self.trainable.items():
                weight.copy_(state["weights"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        self.done, self.history = state["done"], History(**state["history"])

    def _batches(self, epoch: int) -> list[list[Row]]:
        if self.plan[0] != epoch:
            chance = random.Random(f"{self.settings.seed}:{epoch}")  # noqa: S311 - order only
            rows = self.task.rows(epoch)
            self.plan = (epoch, batches(rows, size=self.settings.batch_rows, chance=chance))
        return self.plan[1]

    def _learning_rate(self) -> float:
        """Rises for the warm-up, then falls along a cosine to a tenth."""
        warmup = max(1, round(self.total * self.settings.warmup_share))
        if self.done < warmup:
            return self.settings.learning_rate * (self.done + 1) / warmup
        share = (self.done - warmup) / max(1, self.total - warmup)
        return self.settings.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))

    def _update(self, chosen: list[list[Row]], rate: float) -> float:
        model = self.task.model
        model.train()
        targets = sum(one.targets for rows in chosen for one in rows)
        total = 0.0
        for rows in chosen:
            with _precision(model, self.settings):
                loss = answer_loss(model, _on_device(batch(rows), model)) / targets
            loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.trainable.values(), self.settings.largest_gradient)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return total


def _precision(model: Any, settings: LoopSettings) -> torch.autocast:
    dtype = getattr(torch, settings.compute)
    mixed = dtype != torch.float32
    return torch.autocast(
        model.device.type, dtype=dtype if mixed else torch.bfloat16, enabled=mixed
    )


def _on_device(one: Batch, model: Any) -> Batch:
    return Batch(one.ids.to(model.device), one.labels.to(model.device))
