"""An adapter as peft saves it: pairs of small matrices whose product is added to a layer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backend.domain.errors import UnusableModel
from trainer.tensor_files import TensorFolder

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_PREFIX = "base_model.model."
_NOT_PLAIN = ("use_dora", "modules_to_save", "lora_bias", "rank_pattern", "alpha_pattern")


@dataclass(frozen=True)
class Adapter:
    """The pairs of small matrices by layer, and what their product is scaled by."""

    weights: TensorFolder
    rank: int
    scale: float

    def layers(self) -> list[str]:
        """The layers it changes, in the file's order."""
        names = (name.removeprefix(_PREFIX) for name in self.weights.shapes)
        return list(dict.fromkeys(name.rsplit(".lora_", 1)[0] for name in names))

    def pair(self, layer: str) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The matrices down to the rank and up again, or None for a layer it does not change."""
        down, up = (f"{_PREFIX}{layer}.lora_{side}.weight" for side in "AB")
        if down not in self.weights.shapes:
            return None
        return self.weights.read(down).float(), self.weights.read(up).float()

    def change(self, layer: str) -> torch.Tensor | None:
        """What is added to a layer's weight, or None."""
        pair = self.pair(layer)
        return None if pair is None else self.scale * (pair[1] @ pair[0])


def read_adapter(folder: Path) -> Adapter:
    """The adapter in a folder. Raises UnusableModel if there is none, or it is no plain LoRA."""
    try:
        text = (folder / "adapter_config.json").read_text(encoding="utf-8")
        config: Mapping[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        raise UnusableModel(f"{folder} holds no adapter: {error}. Train one first.") from error
    strange = [name for name in _NOT_PLAIN if config.get(name)]
    if strange:
        raise UnusableModel(
            f"The adapter in {folder} is no plain LoRA: it has {', '.join(strange)}. Train it "
            "with `python -m trainer train`."
        )
    rank = int(config["r"])
    shrunk = math.sqrt(rank) if config.get("use_rslora") else rank
    return Adapter(TensorFolder(folder), rank, config["lora_alpha"] / shrunk)


def check_layers(adapter: Adapter, known: frozenset[str]) -> None:
    """Raises UnusableModel if the adapter changes layers that a base has not."""
    unknown = [one for one in adapter.layers() if one not in known]
    if unknown:
        raise UnusableModel(
            f"The adapter changes {unknown[0]} and {len(unknown) - 1} more layers that this base "
            "does not have. Give the base it was trained on."
        )
