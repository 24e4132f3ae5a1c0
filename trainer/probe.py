"""One trial of the longest rows before a training: does it fit, and how long will it take?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backend.domain.errors import TooLittleMemory
from trainer.checkpoints import chance_state, restore_chance
from trainer.group import ALONE, Group
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

    def told(self, rows: Sequence[Row], epochs: int) -> str:
        """The same as a sentence."""
        hours = self.hours(rows, epochs)
        time_ = f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(hours * 60))} minutes"
        return f"Time: about {time_} at most, {self.rows_at_once} rows at once."


def probe(
    model: Any,
    rows: Sequence[Row],
    settings: LoopSettings,
    *,
    at_once: int,
    group: Group = ALONE,
) -> Probe:
    """Sends the longest rows through the model and back; its weights and chance stay as they are.

    Takes half as many rows whenever the GPU has no room. Raises TooLittleMemory if one is too
    much, or if there are several processes, which could not agree on it. The second trial is
    timed: the first one also loads kernels.
    """
    longest = sorted(rows, key=lambda one: len(one.ids))[-at_once:]
    chance = chance_state()
    try:
        _there_and_back(model, longest, settings)
        seconds = _there_and_back(model, longest, settings)
    except torch.OutOfMemoryError as error:
        if at_once == 1 or group.size > 1:
            raise TooLittleMemory(
                f"{at_once} rows of {len(longest[-1].ids)} tokens do not fit. Take fewer at once "
                "(rows_at_once), shorter ones (row_tokens) or a smaller base."
            ) from error
    else:
        tokens = group.size * sum(len(one.ids) for one in longest)
        return Probe(at_once, seconds / tokens)
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
