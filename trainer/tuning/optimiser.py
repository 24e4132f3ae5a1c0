"""The loss on answers, AdamW in two kinds with its learning rate, and mixed precision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from trainer.tuning.batches import IGNORED, Batch, TokenRow, batch
from trainer.tuning.distributed import ALONE, ProcessGroup, split_like, whole
from trainer.tuning.settings import LoopSettings


def answer_loss(model: Any, rows: Batch) -> torch.Tensor:
    """Summed cross-entropy of the targets.

    Logits are computed only where a target follows: with a prompt of four fifths of the row,
    that saves four fifths of the largest matrix of a small model.
    """
    labels = rows.labels[:, 1:]
    chosen = labels != IGNORED
    hidden = model.base_model(input_ids=rows.ids, use_cache=False).last_hidden_state
    logits = model.get_output_embeddings()(hidden[:, :-1][chosen])
    return cross_entropy(logits.float(), labels[chosen], reduction="sum")


def mean_loss(
    model: Any,
    rows: Sequence[TokenRow],
    settings: LoopSettings,
    *,
    at_once: int,
    group: ProcessGroup = ALONE,
) -> float:
    """Cross-entropy per target over all rows, in nats; `at_once` rows side by side.

    What was found is read at the end, so that the GPU need not wait for the CPU in between.
    """
    model.eval()
    with torch.no_grad(), precision(model, settings):
        found = [
            answer_loss(model, on_device(part, model))
            for part in parts(rows, at_once=at_once, group=group)
        ]
    total = group.sum(sum(torch.stack(found).tolist()), device=model.device)
    return total / sum(row.targets for row in rows)


def parts(rows: Sequence[TokenRow], *, at_once: int, group: ProcessGroup) -> Iterator[Batch]:
    """The rows as batches of about equal length, `at_once` for each process.

    All processes get as many batches, since they wait for each other in every one: where rows
    do not go round, a process gets one without targets.
    """
    near = sorted(rows, key=lambda row: len(row.ids))
    size = at_once * group.size
    for start in range(0, len(near), size):
        chosen = near[start : start + size]
        mine = group.share(chosen)
        yield batch(mine) if mine else batch([TokenRow(chosen[0].ids, len(chosen[0].ids))])


def precision(model: Any, settings: LoopSettings) -> torch.autocast:
    """Mixed precision as the settings say; none for float32."""
    dtype = getattr(torch, settings.compute)
    mixed = dtype != torch.float32
    return torch.autocast(
        model.device.type, dtype=dtype if mixed else torch.bfloat16, enabled=mixed
    )


def on_device(rows: Batch, model: Any) -> Batch:
    """The batch where the model is."""
    return Batch(rows.ids.to(model.device), rows.labels.to(model.device))


class Stepper:
    """Changes weights by their gradients.

    In float16 the loss is scaled up, so that small gradients do not vanish, and a step whose
    gradients overflow is skipped (Micikevicius et al., 2018, arXiv:1710.03740, section 3.2).
    """

    def __init__(
        self, weights: Sequence[torch.nn.Parameter], settings: LoopSettings, *, device: str
    ) -> None:
        self._weights, self._settings = list(weights), settings
        self._optimiser = _optimiser(self._weights, settings, device)
        self._scaler = torch.amp.GradScaler(device, enabled=settings.compute == "float16")

    def backward(self, loss: torch.Tensor) -> None:
        """Adds the loss's gradients to those that are there."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call,unused-ignore]

    def step(self, rate: float) -> torch.Tensor:
        """Changes the weights, clears the gradients and returns their norm before clipping.

        It is where the weights are; reading it makes the CPU wait for the GPU.
        """
        self._scaler.unscale_(self._optimiser)
        found = torch.nn.utils.clip_grad_norm_(self._weights, self._settings.largest_gradient)
        norm: torch.Tensor = whole(found)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.clear()
        return norm

    def clear(self) -> None:
        """Forgets the gradients."""
        self._optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, beside the weights."""
        return {"optimiser": self._optimiser.state_dict(), "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from such a state."""
        moments = state["optimiser"]["state"]
        for place, weight in enumerate(self._weights):
            for name, value in moments.get(place, {}).items():
                if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                    moments[place][name] = split_like(value, weight)
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])


def learning_rate(settings: LoopSettings, *, done: int, total: int) -> float:
    """Rises for the warm-up, then falls along a cosine to a tenth."""
    warmup = max(1, round(total * settings.warmup_share))
    if done < warmup:
        return settings.learning_rate * (done + 1) / warmup
    share = (done - warmup) / max(1, total - warmup)
    return settings.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))


def _optimiser(
    weights: Sequence[torch.nn.Parameter], settings: LoopSettings, device: str
) -> torch.optim.Optimizer:
    """AdamW, or bitsandbytes' with moments in 8 bits that leave a GPU that is full."""
    kind: Any = torch.optim.AdamW
    if settings.optimiser == "paged_adamw_8bit":
        from bitsandbytes.optim.adamw import AdamW8bit, PagedAdamW8bit

        kind = AdamW8bit if device == "cpu" else PagedAdamW8bit
    made: torch.optim.Optimizer = kind(
        weights,
        lr=settings.learning_rate,
        betas=(0.9, settings.second_moment),
        weight_decay=settings.weight_decay,
    )
    return made
