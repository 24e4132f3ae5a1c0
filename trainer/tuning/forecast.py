"""What a fine-tuning will need, told before it begins: memory, rows at once, hours.

The sums follow the tensors that QLoRA keeps. They are a forecast, not a measurement: `probe` then
tries the longest rows for real, and takes fewer at once if the sums were too hopeful.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from backend.domain.errors import TooLittleMemory
from backend.system.resources import free_memory, gigabytes
from trainer.tuning.batches import TokenRow, batch
from trainer.tuning.checkpoints import chance_state, restore_chance
from trainer.tuning.distributed import ALONE, ProcessGroup
from trainer.tuning.optimiser import answer_loss, on_device, precision
from trainer.tuning.quantised_base import packed_layers
from trainer.tuning.settings import LoopSettings, TrainingSettings

PACKED_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Of one weight in NF4: 4 bits, an 8-bit scale for 64 weights, a 32-bit one for 256 of those
(Dettmers et al., 2023, arXiv:2305.14314, section 3)."""
MOMENT_BYTES = {"adamw": 8, "paged_adamw_8bit": 2}
CONTEXT_BYTES = 0.8e9
"""What CUDA and its libraries take before any tensor; on the CPU, Python with torch takes
about half of it."""
SPARE = 1.1
"""For what lies between tensors."""
FILLED = 0.95
"""How much of the free memory may be planned for."""


@dataclass(frozen=True)
class MemoryForecast:
    """Bytes by what they are for. `row_bytes` is for the longest row with its gradients."""

    weight_bytes: float
    adapter_bytes: float
    row_bytes: float
    available_bytes: float
    place: str
    longest_tokens: int
    rows_at_once: int

    @property
    def bytes(self) -> float:
        """The peak, with as many rows at once as fit."""
        return self.weight_bytes + self.adapter_bytes + self.rows_at_once * self.row_bytes

    def __str__(self) -> str:
        return (
            f"Memory: {_gb(self.bytes)} of {_gb(self.available_bytes)} on {self.place}: "
            f"{_gb(self.weight_bytes)} for the packed base, {_gb(self.adapter_bytes)} for the "
            f"adapter and its optimiser, {_gb(self.row_bytes)} for each of {self.rows_at_once} "
            f"rows at once (the longest has {self.longest_tokens} tokens)."
        )


@dataclass(frozen=True)
class Probe:
    """What was seen: rows that fitted at once, and seconds for a token there and back."""

    rows_at_once: int
    seconds_a_token: float

    def hours(self, rows: Sequence[TokenRow], epochs: int) -> float:
        """The time for these rows, `epochs` times. Measuring comes on top."""
        return epochs * sum(len(row.ids) for row in rows) * self.seconds_a_token / 3600

    def told(self, rows: Sequence[TokenRow], epochs: int) -> str:
        """The same as a sentence."""
        hours = self.hours(rows, epochs)
        time_ = f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(hours * 60))} minutes"
        return f"Time: about {time_} at most, {self.rows_at_once} rows at once."


def forecast(
    base: Path,
    rows: Sequence[TokenRow],
    settings: TrainingSettings,
    *,
    available: tuple[float, str] | None = None,
    processes: int = 1,
) -> MemoryForecast:
    """The forecast for a base and its rows; `available` is bytes and where, else this machine's.

    Several processes split the packed weights and the adapter among them; `available` is then of
    each. Raises TooLittleMemory if not even one row fits.
    """
    free, place = available or _available(processes)
    with torch.device("meta"):
        config = AutoConfig.from_pretrained(base)
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call,unused-ignore]
            config
        )
    linear = {name: model.get_submodule(name) for name in packed_layers(base)}
    longest = max(rows, key=lambda row: len(row.ids))
    row = SPARE * _row_bytes(model, linear, longest, settings)
    weights = CONTEXT_BYTES + SPARE * _weight_bytes(model, linear, settings, processes)
    adapter = SPARE * _adapter_bytes(linear, settings) / processes
    fit = int((FILLED * free - weights - adapter) // row)
    wanted = settings.loop.rows_at_once or settings.loop.batch_rows
    made = MemoryForecast(
        weights, adapter, row, free, place, len(longest.ids), min(wanted, max(1, fit))
    )
    if fit < 1:
        raise TooLittleMemory(
            f"This training does not fit. {made} Take a smaller base, shorter rows (row_tokens "
            f"is {settings.row_tokens}), or a smaller rank; activation checkpointing is "
            f"{'on' if settings.activation_checkpointing else 'off, turn it on'}."
        )
    return made


def probe(
    model: Any,
    rows: Sequence[TokenRow],
    settings: LoopSettings,
    *,
    at_once: int,
    group: ProcessGroup = ALONE,
) -> Probe:
    """Sends the longest rows through the model and back; its weights and chance stay as they are.

    Takes half as many rows whenever the GPU has no room. Raises TooLittleMemory if one is too
    much, or if there are several processes, which could not agree on it. The second trial is
    timed: the first one also loads kernels.
    """
    longest = sorted(rows, key=lambda row: len(row.ids))[-at_once:]
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
        tokens = group.size * sum(len(row.ids) for row in longest)
        return Probe(at_once, seconds / tokens)
    finally:
        model.zero_grad(set_to_none=True)
        restore_chance(chance)
    torch.cuda.empty_cache()
    return probe(model, rows, settings, at_once=at_once // 2)


def _there_and_back(model: Any, rows: Sequence[TokenRow], settings: LoopSettings) -> float:
    started = time.monotonic()
    model.train()
    with precision(model, settings):
        loss = answer_loss(model, on_device(batch(rows), model))
    loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic() - started


def _weight_bytes(
    model: Any, linear: dict[str, Any], settings: TrainingSettings, processes: int
) -> float:
    """The packed base, what stays unpacked, and the largest matrix unpacked for a product.

    Of several processes each keeps its part of the packed base, and has one layer twice while it
    is collected: as it came from the others, and put together.
    """
    packed = sum(layer.weight.numel() for layer in linear.values())
    rest = sum(weight.numel() for weight in model.parameters()) - packed
    largest = max(layer.weight.numel() for layer in linear.values())
    unpacked = rest * _size(settings.weights) + 2 * largest * _size(settings.loop.compute)
    kept = packed / processes
    if processes > 1:
        kept += 2 * packed / model.config.get_text_config().num_hidden_layers
    return float(kept * PACKED_BYTES + unpacked)


def _adapter_bytes(linear: dict[str, Any], settings: TrainingSettings) -> float:
    """LoRA's weights and gradients in 32 bits and the optimiser's two moments."""
    weights = sum(settings.rank * sum(layer.weight.shape) for layer in linear.values())
    return float(weights * (4 + 4 + MOMENT_BYTES[settings.loop.optimiser]))


def _row_bytes(
    model: Any, linear: dict[str, nn.Linear], row: TokenRow, settings: TrainingSettings
) -> float:
    """What is kept of a row from the way there for the way back.

    With checkpointing only each layer's input is kept and one layer at a time is done again;
    LoRA keeps each linear layer's input a second time, in its own 32 bits. Attention is counted
    as if its matrix were kept, which is so where there is no fused kernel (GPT-J).
    """
    config, tokens = model.config.get_text_config(), len(row.ids)
    size = _size(settings.loop.compute)
    inside = sum(
        layer.in_features * (size + 4) + 2 * layer.out_features * size for layer in linear.values()
    )
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    layer = tokens * inside / layers + 2 * heads * tokens * tokens * 4
    kept = tokens * config.hidden_size * max(size, _size(settings.weights)) * layers
    body = kept + layer if settings.activation_checkpointing else layers * layer
    return float(body + row.targets * config.vocab_size * (size + 8))


def _size(precision: str) -> int:
    return int(getattr(torch, precision).itemsize)


def _available(processes: int) -> tuple[float, str]:
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return float(free), torch.cuda.get_device_name()
    share = f", for each of {processes} processes" if processes > 1 else ""
    return float(free_memory()) / processes, f"this machine{share}"


def _gb(size: float) -> str:
    return gigabytes(size, digits=1)
