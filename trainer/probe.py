"""One trial of the longest rows before a training: does it fit, and how long will it take?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backend.domain.errors import TooLittleMemory
from trainer.checkpoints import chance_state, restore_chance
from trainer.losses import answer_loss, on_device, precision
from trainer.rows import Row, batch
from trainer.settings import LoopSettings


@dataclass(frozen=True)
class Probe:
    """What was seen: rows that fitted at once, and seconds for a token there and back."""

    rows_at_once: int
    seconds_a_token: float

    def hours(self, rows: Sequence[Row], epochs: int) -> float:
        """The time for these rows, `epochs` times. Measuring comes on top."""
        return epochs * sum(len(one.ids) for one in rows) * self.seconds_a_token / 3600


def probe(model: Any, rows: Sequence[Row], settings: LoopSettings, *, at_once: int) -> Probe:
    """Sends the longest rows through the model and back; its weights and chance stay as they are.

    Takes half as many rows whenever the GPU has no room. Raises TooLittleMemory if one is too
    much. The second trial is timed: the first one also loads kernels.
    """
    longest = sorted(rows, key=lambda one: len(one.ids))[-at_once:]
    chance = chance_state()
    try:
        _there_and_back(model, longest, settings)
        seconds = _there_and_back(model, longest, settings)
    except torch.OutOfMemoryError as error:
        if at_once == 1:
            raise TooLittleMemory(
                f"Not even one row of {len(longest[0].ids)} tokens fits. Take shorter rows "
                "(row_tokens) or a smaller base."
            ) from error
    else:
        return Probe(at_once, seconds / sum(len(one.ids) for one in longest))
    finally:
        model.zero_grad(set_to_none=True)
        restore_chance(chance)
    torch.cuda.empty_cache()
    return probe(model, rows, settings, at_once=at_once // 2)


def _there_and_back(model: Any, rows: Sequence[Row], settings: LoopSettings) -> float:
    started = time.monotonic()
    model.train()
    with precision(model, settings):
        loss = answer_loss(model, on_device(batch(rows), model))
    loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic() - started
