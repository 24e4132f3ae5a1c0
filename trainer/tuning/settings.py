"""How a model is trained: frozen values, saved beside every artefact that comes of them.

The sentence under a field is its help on the command line, which is made from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args

from backend.domain.errors import BadSettings

Precision = Literal["float32", "bfloat16", "float16"]
OptimiserName = Literal["adamw", "paged_adamw_8bit"]
TinyFamily = Literal["llama", "gptj"]


@dataclass(frozen=True)
class LoopSettings:
    """How weights are optimised, whichever weights these are."""

    epochs: int = 4
    """Times each example is seen."""
    batch_rows: int = 8
    """Examples of one step, however few of them fit into memory side by side."""
    rows_at_once: int = 0
    """Of these side by side in memory, the rest by gradient accumulation; 0: as many as fit."""
    learning_rate: float = 1e-3
    """Learning rate at its highest."""
    warmup_share: float = 0.05
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    largest_gradient: float = 1.0
    """Norm to which longer gradients are clipped."""
    compute: Precision = "bfloat16"
    """Precision in which the model computes."""
    optimiser: OptimiserName = "adamw"
    """Kind of AdamW."""
    checkpoint_minutes: float = 15.0
    """Minutes between two checkpoints."""
    seed: int = 1
    """Seed of order, rewording and first weights."""
    second_moment: float = 0.95
    """AdamW's beta 2: short runs forget the first, rough gradients sooner than with 0.999."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    measurements: int = 1
    """Measurements of the validation loss in an epoch."""
    patience: int = 0
    """Measurements in a row without a new best that end the training; 0: none do."""

    def __post_init__(self) -> None:
        _at_least_one(self, "epochs", "batch_rows", "measurements")
        _one_of(self, "compute", get_args(Precision))
        _one_of(self, "optimiser", get_args(OptimiserName))
        _not_below_zero(self, "rows_at_once", "patience", "threads")
        _not_below_zero(self, "weight_decay", "checkpoint_minutes")
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
    """One QLoRA fine-tuning. Token counts are the model's own, `prompt_tokens` is an estimate."""

    preset: str
    loop: LoopSettings = field(default_factory=LoopSettings)
    rank: int = 16
    """Rank of the LoRA matrices."""
    alpha: int = 32
    """The LoRA's weight is alpha / rank."""
    dropout: float = 0.0
    """Dropout of the LoRA's input."""
    row_tokens: int = 1024
    """Longest row; longer examples are left out and counted."""
    prompt_tokens: int = 700
    """Budget of a prompt, in the estimate that serving uses, which has no tokenizer at hand."""
    weights: Precision = "float32"
    """Precision in which the base is read before it is packed into NF4; the rest stays in it."""
    activation_checkpointing: bool = False
    """Computes activations anew on the way back instead of keeping them: slower, less memory."""
    wording_share: float = 0.0
    """Share of the questions that are reworded anew in every epoch."""
    opening_epochs: int = 0
    """First epochs, in which rows have no passages and end after the opening of the answer."""
    opening_tokens: int = 24
    """Tokens of such an opening."""
    passage_share: float = 1.0
    """Share of the examples with passages that keep them, drawn anew in every epoch."""
    samples: int = 3
    """Validation questions that are answered at each measurement, for people to read."""
    sample_tokens: int = 96
    """Longest of these answers."""

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


@dataclass(frozen=True)
class ModelSize:
    """The size of a tiny model made from nothing; the default has about 4.5 million parameters."""

    family: TinyFamily = "llama"
    """Architecture."""
    vocabulary: int = 4096
    """Tokens that it tells apart."""
    width: int = 256
    """Width of a layer."""
    inner: int = 768
    """Width inside a layer's feed-forward part."""
    layers: int = 4
    """Layers."""
    heads: int = 4
    """Heads of attention."""
    key_value_heads: int = 4
    """Heads of keys and values, fewer where queries share them."""
    context: int = 1024
    """Longest text, in tokens."""

    def __post_init__(self) -> None:
        _one_of(self, "family", get_args(TinyFamily))
        _at_least_one(self, "vocabulary", "width", "inner", "layers", "heads", "key_value_heads")
        _at_least_one(self, "context")


@dataclass(frozen=True)
class PretrainSettings:
    """How a tiny base is made."""

    size: ModelSize = field(default_factory=ModelSize)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(epochs=6, learning_rate=3e-3))
    prompt_tokens: int = 512
    """Budget of its chats' prompts, as in fine-tuning."""

    def __post_init__(self) -> None:
        _at_least_one(self, "prompt_tokens")


Settings = TypeVar("Settings", TrainingSettings, PretrainSettings)


def preset_named(name: str, **changes: Any) -> TrainingSettings:
    """The preset with this name, with some fields of it or of its loop changed.

    Raises BadSettings for a preset or a field that does not exist.
    """
    if name not in PRESETS:
        raise BadSettings(f"There is no preset {name!r}; there is {', '.join(sorted(PRESETS))}.")
    return changed(PRESETS[name], changes)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with some fields changed, their own or those of their parts (loop, size).

    Raises BadSettings for a field that does not exist.
    """
    parts: dict[str, Any] = {}
    for name, part in vars(settings).items():
        if is_dataclass(part) and not isinstance(part, type):
            within = {key: value for key, value in changes.items() if hasattr(part, key)}
            parts[name] = replace(part, **within)
            changes = {key: value for key, value in changes.items() if key not in within}
    try:
        return replace(settings, **parts, **changes)
    except TypeError as error:
        raise BadSettings(f"No such setting: {error}.") from error


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
_PRESETS = (
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
PRESETS = {preset.preset: preset for preset in _PRESETS}
"""Settings by the machine and the model they fit; single fields can be changed.

The T4 has no bfloat16, so its presets compute in float16, and keep what NF4 does not pack in
float16 too. Rate, batch and LoRA on all linear layers are those of the QLoRA paper for 7B models
(Dettmers et al., 2023, arXiv:2305.14314, table 9: 2e-4, 16). Rank and alpha are not: the paper has
64 and 16, here they are 16 and 32, a quarter of the memory for the adapter. The small models take
a higher rate, as their layers are narrower. Two rows of 1,024 tokens at once fill a T4's
arithmetic; more would only take memory.
"""
