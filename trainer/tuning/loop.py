"""The optimisation loop that pretraining and fine-tuning share.

It can be killed at any moment: the same call goes on from the last checkpoint with the same data
order, because order and rewording depend only on seed and epoch. How many rows stand side by side
in memory changes neither, for gradients are accumulated: a step is always `batch_rows` rows.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from backend.domain.errors import BadSettings, TooLittleMemory
from trainer.record import CHECKPOINT
from trainer.tuning import checkpoints
from trainer.tuning.batches import TokenRow, batches
from trainer.tuning.distributed import ALONE, ProcessGroup
from trainer.tuning.optimiser import (
    Stepper,
    answer_loss,
    learning_rate,
    mean_loss,
    on_device,
    parts,
    precision,
)
from trainer.tuning.settings import LoopSettings

SKIPPED = 20
"""Steps in a row that float16 may skip. The loss is scaled by 65,536 at first and by half as much
after each skipped step: after so many it is scaled down, and there is another reason."""
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h, see mallopt(3)."""
_NEVER = -1
"""Read as the largest number there is: free memory at the heap's end is never given back."""
KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
"""See https://uxlfoundation.github.io/oneDNN/dev_guide_primitive_cache.html."""
_FEW = "64"


@dataclass
class History:
    """How a run went: one entry a step, one for each measurement, and time spent on both.

    The gradient of a step that was skipped is None.
    """

    steps: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0

    @property
    def best(self) -> dict[str, float] | None:
        """The measurement with the least loss, the first of equals."""
        return min(self.validation, key=lambda measurement: measurement["loss"], default=None)

    @property
    def since_best(self) -> int:
        """How many measurements came after the best."""
        best = self.best
        return len(self.validation) - 1 - self.validation.index(best) if best else 0


@dataclass(frozen=True)
class TrainingTask:
    """A model, its rows in each epoch (always as many) and rows to measure on.

    `fingerprint` names data and settings; a checkpoint of another one is refused. `rows_at_once`
    stand side by side in memory. `keep_memory` lets freed memory of a CPU stay with the process:
    faster, see `keep_freed_memory`. `watch` hears of each measurement, `kept` of each checkpoint.
    """

    model: Any
    rows: Callable[[int], Sequence[TokenRow]]
    validation: Sequence[TokenRow]
    fingerprint: str
    rows_at_once: int = 0
    keep_memory: bool = True
    group: ProcessGroup = ALONE
    watch: Callable[[History], None] = lambda _: None
    kept: Callable[[Path], None] = lambda _: None


def optimise(task: TrainingTask, settings: LoopSettings, *, folder: Path) -> History:
    """Trains what is trainable in the model and returns how it went.

    Where there are validation rows, the weights with the least loss on them win, and the
    training ends early once `settings.patience` measurements in a row were not better.
    Raises BadSettings if `folder` has a checkpoint of another run, or if losses or gradients are
    no numbers any more; TooLittleMemory if not even one row at once fits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settle(settings, device=task.model.device.type, keep_memory=task.keep_memory)
    torch.manual_seed(settings.seed)
    run = _Run(task, settings, folder)
    run.resume()
    quiet = not task.group.leads
    with tqdm(total=run.total, initial=run.done, unit="step", mininterval=2, disable=quiet) as bar:
        while not run.ended:
            loss = run.step()
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()
    run.save()
    run.take_best()
    return run.history


class _Run:
    def __init__(self, task: TrainingTask, settings: LoopSettings, folder: Path) -> None:
        self.task, self.settings, self.folder = task, settings, folder
        self.trainable = {
            name: weight for name, weight in task.model.named_parameters() if weight.requires_grad
        }
        device = task.model.device.type
        self.stepper = Stepper(list(self.trainable.values()), settings, device=device)
        self.at_once = task.rows_at_once or settings.rows_at_once or settings.batch_rows
        self.plan: tuple[int, list[list[TokenRow]]] = (-1, [])
        self.steps_an_epoch = len(self._batches(0))
        self.total = self.steps_an_epoch * settings.epochs
        self.done = 0
        self.history = History()
        self.best: dict[str, torch.Tensor] = {}
        self.saved_at = time.monotonic()

    @property
    def ended(self) -> bool:
        tired = 0 < self.settings.patience <= self.history.since_best
        return tired or self.done >= self.total

    def step(self) -> float:
        started = time.monotonic()
        epoch, place = divmod(self.done, self.steps_an_epoch)
        rows = self._batches(epoch)[place]
        rate = learning_rate(self.settings, done=self.done, total=self.total)
        loss, norm = self._update(rows, rate)
        self.done += 1
        gradient = norm if math.isfinite(norm) else None  # JSON knows no other numbers
        self.history.steps.append(
            {"step": self.done, "loss": loss, "learning_rate": rate, "gradient": gradient}
        )
        check_steps(self.history.steps, self.settings)
        self.history.tokens += sum(len(row.ids) for row in rows)
        if self._to_be_measured(place + 1):
            self._measure()
        self.history.seconds += time.monotonic() - started
        late = time.monotonic() - self.saved_at > self.settings.checkpoint_minutes * 60
        if self.task.group.of_leader(late):  # saving takes them all, and each has its own clock
            self.save()
        return loss

    def save(self) -> None:
        state = {
            "fingerprint": self.task.fingerprint,
            "done": self.done,
            "weights": self.trainable,
            "best": self.best,
            "stepper": self.stepper.state(),
            "chance": self.task.group.of_each(checkpoints.chance_state()),
            "history": asdict(self.history),
        }
        checkpoints.save(state, self.folder / CHECKPOINT, group=self.task.group)
        if self.task.group.leads:
            self.task.kept(self.folder / CHECKPOINT)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        group = self.task.group
        state = checkpoints.read(self.folder, fingerprint=self.task.fingerprint, group=group)
        if state is None:
            if self.task.validation:
                self._measure()
            return
        checkpoints.put(state["weights"], self.trainable)
        self.stepper.restore(state["stepper"])
        self.done, self.history = state["done"], History(**state["history"])
        self.best = state["best"]
        seed = f"{self.settings.seed}:{self.done}"
        checkpoints.restore_chances(state["chance"], rank=group.rank, seed=seed)

    def take_best(self) -> None:
        """Puts the weights of the best measurement back, if the last was not the best."""
        if self.history.since_best:
            checkpoints.put(self.best, self.trainable)

    def _to_be_measured(self, place: int) -> bool:
        """After the steps that cut an epoch into as many equal parts as there are measurements."""
        parts = min(self.settings.measurements, self.steps_an_epoch)
        ends = {round(self.steps_an_epoch * (part + 1) / parts) for part in range(parts)}
        return bool(self.task.validation) and place in ends

    def _measure(self) -> None:
        task = self.task
        loss = mean_loss(
            task.model, task.validation, self.settings, at_once=self.at_once, group=task.group
        )
        check_loss(loss, self.settings, of=f"validation loss at step {self.done}")
        self.history.validation.append({"step": self.done, "loss": loss})
        if not self.history.since_best:
            self.best = checkpoints.taken(self.trainable)
        task.watch(self.history)

    def _batches(self, epoch: int) -> list[list[TokenRow]]:
        if self.plan[0] != epoch:
            chance = random.Random(f"{self.settings.seed}:{epoch}")  # noqa: S311 - order only
            rows = self.task.rows(epoch)
            self.plan = (epoch, batches(rows, size=self.settings.batch_rows, chance=chance))
        return self.plan[1]

    def _update(self, rows: Sequence[TokenRow], rate: float) -> tuple[float, float]:
        """One change of the weights; the loss of these rows and the norm of its gradients.

        Both are read once, at the end: each reading makes the CPU wait for the GPU.
        """
        losses = self._accumulated(rows)
        *found, norm = torch.stack([*losses, self.stepper.step(rate)]).tolist()
        return self.task.group.sum(sum(found), device=self.task.model.device), norm

    def _accumulated(self, rows: Sequence[TokenRow]) -> list[torch.Tensor]:
        """Gradient accumulation over what fits at once, half of it whenever the memory is full."""
        while True:
            try:
                return self._there_and_back(rows)
            except torch.OutOfMemoryError as error:
                if self.at_once == 1 or self.task.group.size > 1:
                    raise TooLittleMemory(
                        f"{self.at_once} rows at once did not fit after step {self.done}. Free "
                        "some memory and run the same command again, with fewer --rows-at-once "
                        "if you can: it goes on from the last checkpoint."
                    ) from error
            self.stepper.clear()
            torch.cuda.empty_cache()
            self.at_once = min(self.at_once, len(rows)) // 2 or 1

    def _there_and_back(self, rows: Sequence[TokenRow]) -> list[torch.Tensor]:
        model, group = self.task.model, self.task.group
        model.train()
        targets = sum(row.targets for row in rows)
        losses = []
        for part in parts(rows, at_once=self.at_once, group=group):
            with precision(model, self.settings):
                loss = answer_loss(model, on_device(part, model)) / targets
            self.stepper.backward(loss * group.size)  # gradients are averaged over the group
            losses.append(loss.detach())
        return losses


def check_loss(loss: float, settings: LoopSettings, *, of: str) -> None:
    """Raises BadSettings if a loss is no number."""
    if not math.isfinite(loss):
        raise BadSettings(f"The {of} is no number ({loss}). {_advice(settings)}")


def check_steps(steps: Sequence[Mapping[str, Any]], settings: LoopSettings) -> None:
    """Raises BadSettings if the last step's loss is no number, or its gradients were none.

    In float16 a step without gradients is skipped, which is normal now and then; elsewhere it
    spoils the weights.
    """
    check_loss(steps[-1]["loss"], settings, of=f"loss of step {len(steps)}")
    spoilt = len(list(takewhile(lambda step: step["gradient"] is None, reversed(steps))))
    if spoilt > (SKIPPED if settings.compute == "float16" else 0):
        raise BadSettings(
            f"The gradients of the last {spoilt} steps, to step {len(steps)}, were no numbers. "
            f"{_advice(settings)}"
        )


def _advice(settings: LoopSettings) -> str:
    precision = ""
    if settings.compute == "float16":
        precision = "Give --compute bfloat16, or float32 on a GPU without it. Else "
    return (
        f"{precision}{'t' if precision else 'T'}ake a lower --learning-rate than "
        f"{settings.learning_rate:g}, and another --out: the checkpoint is of these settings."
    )


def settle(settings: LoopSettings, *, device: str, keep_memory: bool = True) -> None:
    """Gives this process the threads and the memory that the steps have. Twice is as once."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if device == "cpu":
        keep_few_kernels()
        if keep_memory:
            keep_freed_memory()


def keep_freed_memory() -> bool:
    """Tells the C library to keep what PyTorch frees; True if it listens, which only glibc does.

    It gives blocks of 32 MB and more back to the system at once and asks for new ones a moment
    later, and the system fills each with zeros, page by page. Attention matrices, which are large
    and do not live long, cost a training on the CPU much of its time that way: see `scripts.bench
    train --against returning`.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER)) and bool(mallopt(_MMAP_MAX, 0))


def keep_few_kernels() -> None:
    """Tells oneDNN, which asks once, before its first product. What a user has set stays.

    It multiplies in bfloat16 and keeps the kernels of the last 1,024 shapes that it met, with
    their memory; each new length of rows brings dozens, and long ones come back late or never.
    With few kept, GPT-J held 4.6 GB where it had held 6.3: see `trainer/LOG.md`.
    """
    os.environ.setdefault(KERNELS, _FEW)
