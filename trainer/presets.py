"""Settings by the machine and the model they fit.

A preset is a whole; the command line changes single fields of it. The T4 has no bfloat16, so
its presets compute in float16, and keep what NF4 does not pack in float16 too. Rate, batch
and LoRA on all linear layers are those of the QLoRA paper for 7B models (Dettmers et al., 2023,
arXiv:2305.14314, table 9: 2e-4, 16). Rank and alpha are not: the paper has 64 and 16, here they are
16 and 32, a quarter of the memory for the adapter. The small models take a higher rate, as their
layers are narrower. Two rows of 1,024 tokens at once fill a T4's arithmetic; more would only
take memory.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.domain.errors import BadSettings
from trainer.settings import LoopSettings, TrainingSettings

_T4 = LoopSettings(
    epochs=3,
    batch_rows=16,
    rows_at_once=2,
    learning_rate=2e-4,
    warmup_share=0.03,
    largest_gradient=0.3,
    compute="float16",
    optimiser="paged_adamw_8bit",
    second_moment=0.999,
    measurements=4,
    patience=4,
)
_SEVEN_BILLION = TrainingSettings(
    preset="t4-llama2-7b",
    loop=_T4,
    rank=16,
    alpha=32,
    dropout=0.05,
    row_tokens=1024,
    prompt_tokens=600,
    weights="float16",
    activation_checkpointing=True,
)
_ALL = (
    _SEVEN_BILLION,
    replace(_SEVEN_BILLION, preset="t4-gptj-6b"),
    replace(
        _SEVEN_BILLION,
        preset="t4-small",
        loop=replace(_T4, rows_at_once=4, learning_rate=5e-4),
        rank=32,
        alpha=64,
        row_tokens=2048,
        prompt_tokens=1200,
    ),
    TrainingSettings(
        preset="cpu-tiny",
        loop=LoopSettings(epochs=16, batch_rows=4, learning_rate=1.5e-3, checkpoint_minutes=2.0),
        rank=64,
        alpha=64,
        row_tokens=1024,
        prompt_tokens=512,
        samples=1,
        sample_tokens=48,
    ),
)
PRESETS = {one.preset: one for one in _ALL}


def preset_named(name: str, **changes: Any) -> TrainingSettings:
    """The preset with this name, with some fields of it or of its loop changed.

    Raises BadSettings for a preset or a field that does not exist.
    """
    if name not in PRESETS:
        raise BadSettings(f"There is no preset {name!r}; there is {', '.join(sorted(PRESETS))}.")
    preset = PRESETS[name]
    in_loop = {key: value for key, value in changes.items() if hasattr(preset.loop, key)}
    rest = {key: value for key, value in changes.items() if key not in in_loop}
    try:
        return replace(preset, loop=replace(preset.loop, **in_loop), **rest)
    except TypeError as error:
        raise BadSettings(f"No such setting: {error}.") from error
