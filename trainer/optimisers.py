"""AdamW in two kinds, its learning rate, and the scaling of gradients that float16 needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from trainer.group import split_like, whole
from trainer.settings import LoopSettings


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
