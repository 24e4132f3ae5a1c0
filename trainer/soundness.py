"""Ends a training whose numbers have become none, before it is paid for to its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from backend.domain.errors import BadSettings
from trainer.settings import LoopSettings

SKIPPED = 20
"""Steps in a row that float16 may skip. The loss is scaled by 65,536 at first and by half as much
after each skipped step: after so many it is scaled down, and there is another reason."""


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
    spoilt = len(list(takewhile(lambda one: one["gradient"] is None, reversed(steps))))
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
