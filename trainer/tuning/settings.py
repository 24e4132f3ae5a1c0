"""How a model is trained: frozen values, saved beside every artefact that comes of them.

Settings by the machine and the model they fit.

A preset is a whole; the command line changes single fields of it. The T4 has no bfloat16, so its
presets compute in float16, and keep what NF4 does not pack in float16 too. Rate, batch and LoRA on
all linear layers are those of the QLoRA paper for 7B models (Dettmers et al., 2023,
arXiv:2305.14314, table 9: 2e-4, 16). Rank and alpha are not: the paper has 64 and 16, here they
are 16 and 32, a quarter of the memory for the adapter. The small models take a higher rate, as
their layers are narrower. Two rows of 1,024 tokens at once fill a T4's arithmetic; more would only
take memory.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from backend.domain.errors import BadSettings

Precision = Literal["float32", "bfloat16", "float16"]
Optimiser = Literal["adamw", "paged_adamw_8bit"]


def _at_least_one(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 1:
            raise BadSettings(f"{name} must be at least 1, not {getattr(settings, name)}.")


def _not_below_zero(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) >= 0:
            raise BadSettings(f"{name} cannot be below 0; it is {getattr(settings, name)}.")


def _one_of(settings: object, name: str, choices: tuple[str, ...]) -> None:
    if getattr(settings, name) not in choices:
        raise BadSettings(
            f"{name} is one of {', '.join(choices)}, not {getattr(settings, name)!r}."
        )


@dataclass(frozen=True)
class LoopSettings:
    """How weights are optimised, whichever weights these are."""

    epochs: int = 4
    batch_rows: int = 8
    """Rows of one step, however few of them fit into memory side by side."""
    rows_at_once: int = 0
    """Rows side by side in memory; 0 takes as many as fit. It changes speed, not the result."""
    learning_rate: float = 1e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.01
    largest_gradient: float = 1.0
    compute: Precision = "bfloat16"
    optimiser: Optimiser = "adamw"
    checkpoint_minutes: float = 15.0
    seed: int = 1
    second_moment: float = 0.95
    """Of AdamW: short runs forget the first, rough gradients sooner than its usual 0.999."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    measurements: int = 1
    """How often the validation loss is measured in an epoch."""
    patience: int = 0
    """Measurements in a row without a new best that end the training; 0: none do."""

    def __post_init__(self) -> None:
        _at_least_one(self, "epochs", "batch_rows", "measurements")
        _one_of(self, "compute", get_args(Precision))
        _one_of(self, "optimiser", get_args(Optimiser))
        _not_below_zero(self, "rows_at_once", "patience", "threads", "checkpoint_minutes")
        _not_below_zero(self, "weight_decay")
        if not self.largest_gradient > 0:
            raise BadSettings(f"largest_gradient must be above 0, not {self.largest_gradient}.")
        if not 0 <= self.second_moment < 1:
            raise BadSettings(f"second_moment is from 0 to below 1, not {self.second_moment}.")
        if not (0 <= self.warmup_share < 1 and self.learning_rate > 0):
            raise BadSettings(
                "The learning rate must be above 0 and the warm-up share from 0 to below 1; "
                f"they are {self.learning_rate} and {self.warmup_share}."
            )


@dataclass(frozen=True)
class TrainingSettings:
    """One QLoRA training. Token counts are the model's own, `prompt_tokens` is an estimate.

    `prompt_tokens` is the budget for `backend.domain.prompt.render`, which counts with
    `estimate_tokens`: the same estimate as in serving, where there is no tokenizer at hand.
    """

    preset: str
    loop: LoopSettings = field(default_factory=LoopSettings)
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    row_tokens: int = 1024
    prompt_tokens: int = 700
    weights: Precision = "float32"
    """What the base is read as before it is packed into NF4, and what stays unpacked is kept as."""
    activation_checkpointing: bool = False
    wording_share: float = 0.0
    """Share of the questions that are reworded anew in every epoch; see `trainer.wordings`."""
    opening_epochs: int = 0
    """The first epochs: rows have no passages and end after the opening of the answer."""
    opening_tokens: int = 24
    passage_share: float = 1.0
    """Share of the examples with passages that keep them, drawn anew in every epoch."""
    samples: int = 3
    """Validation questions that are answered at each measurement, for people to read."""
    sample_tokens: int = 96

    def __post_init__(self) -> None:
        _at_least_one(self, "rank", "alpha", "row_tokens", "prompt_tokens", "opening_tokens")
        _at_least_one(self, "sample_tokens")
        _not_below_zero(self, "samples", "opening_epochs")
        _one_of(self, "weights", get_args(Precision))
        for name in ("dropout", "wording_share", "passage_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSettings(f"{name} is a share from 0 to 1, not {getattr(self, name)}.")

    def to_row(self) -> dict[str, Any]:
        """The settings as plain values for JSON."""
        return asdict(self)

    @staticmethod
    def from_row(row: dict[str, Any]) -> TrainingSettings:
        """The settings in such plain values. Raises BadSettings for unknown fields."""
        try:
            return TrainingSettings(**{**row, "loop": LoopSettings(**row["loop"])})
        except (KeyError, TypeError) as error:
            raise BadSettings(f"These are no settings of a training: {error}.") from error


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
