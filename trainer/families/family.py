"""What the converter must know of a family of models: names, numbers and the order of rows.

Everything else of an export is the same for all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.domain.errors import UnusableModel

Config = Mapping[str, Any]
Array = npt.NDArray[Any]
Numbers = Mapping[str, int | float | str]

_LAYER = re.compile(r"\.(\d+)\.")
_KINDS = ("weight", "bias")


def _nothing(_config: Config) -> dict[str, Array]:
    return {}


@dataclass(frozen=True)
class Family:
    """One architecture of transformers and the architecture of llama.cpp that computes the same.

    `names` gives the GGUF's name of each module, `{n}` stands for the number of a layer.
    `numbers` are the GGUF's keys, without the architecture in front; raises UnusableModel for what
    llama.cpp computes otherwise. `row_order` are the old places of a module's new rows, or None
    if they stay; `added` are tensors that transformers does not store.
    """

    architecture: str
    gguf: str
    names: Mapping[str, str]
    numbers: Callable[[Config], Numbers]
    row_order: Callable[[str, Config], Array | None]
    added: Callable[[Config], Mapping[str, Array]] = _nothing

    def gguf_name(self, tensor: str) -> str:
        """The GGUF's name of a tensor. Raises UnusableModel if it has no place there."""
        module, _, kind = tensor.rpartition(".")
        layer = _LAYER.search(module)
        theirs = self.names.get(_LAYER.sub(".{n}.", module, count=1))
        if theirs is None or kind not in _KINDS:
            raise UnusableModel(
                f"The tensor {tensor} has no place in the architecture {self.gguf} of llama.cpp. "
                f"Is this a plain {self.architecture}?"
            )
        return f"{theirs.format(n=layer and layer[1])}.{kind}"

    def weights(self, config: Config) -> list[str]:
        """The weights that each model with this config has."""
        count = int(config.get("num_hidden_layers") or config["n_layer"])
        every = [name.format(n=layer) for layer in range(count) for name in self.names]
        return [f"{name}.weight" for name in dict.fromkeys(every)]

    def in_order(self, module: str, rows: Array, config: Config) -> Array:
        """The rows of a module's tensor in the order in which llama.cpp wants them."""
        order = self.row_order(module, config)
        return rows if order is None else np.ascontiguousarray(rows[order])


def read_config_file(model: Path) -> dict[str, Any]:
    """The `config.json` of a model. Raises UnusableModel if there is none to be read."""
    try:
        config: dict[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableModel(f"{model} has no config.json that can be read: {error}.") from error
    return config
