"""Third step: the adapter goes into the weights it was trained on, which are the 4-bit ones.

Each tensor of the base is packed to NF4 and unpacked again, as in training, and the adapter's
product is added: the result computes what was trained. Adding it to the original weights is a
slightly other model, and packing the sum again throws much of the training away (measured in
`trainer/LOG.md`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from backend.domain.errors import UnusableModel
from trainer.quantised import BLOCK, packed_layers
from trainer.record import read_record, write_record
from trainer.settings import TrainingSettings
from trainer.tensor_files import TensorFolder, write_tensors

_PREFIX = "base_model.model."
_COPIED = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)


@dataclass(frozen=True)
class _Adapter:
    """The pairs of small matrices by layer, and what their product is scaled by."""

    folder: TensorFolder
    scale: float

    def change(self, layer: str) -> torch.Tensor | None:
        """What the adapter adds to a layer's weight, or None if it does not touch it."""
        down, up = (f"{_PREFIX}{layer}.lora_{side}.weight" for side in "AB")
        if down not in self.folder.shapes:
            return None
        return self.scale * (self.folder.read(up).float() @ self.folder.read(down).float())


def merge(*, base: Path, adapter: Path, out: Path) -> Path:
    """Writes the merged model to the folder `out`, in float16, and returns it.

    Raises UnusableModel if the adapter has layers that the base has not.
    """
    record = read_record(adapter)
    if record is None:
        raise UnusableModel(f"{adapter} has no training.json, so it is unknown how it was trained.")
    known = {key: value for key, value in record.settings.items() if key != "fingerprint"}
    settings = TrainingSettings.from_row(known)
    weights, changes = TensorFolder(base), _adapter(adapter)
    packed = packed_layers(base)
    _check_layers(changes, packed)
    out.mkdir(parents=True, exist_ok=True)
    merged = _merged(weights, changes, packed, getattr(torch, settings.weights))
    write_tensors(out / "model.safetensors", weights.shapes, merged, torch.float16)
    _copy_the_rest(base, out)
    write_record(replace(record, step="merge"), out)
    return out


def through_four_bits(weight: torch.Tensor) -> torch.Tensor:
    """The weight as training saw it: packed to NF4 with double quantisation, then unpacked."""
    packed, state = quantize_4bit(
        weight.contiguous(), blocksize=BLOCK, compress_statistics=True, quant_type="nf4"
    )
    unpacked: torch.Tensor = dequantize_4bit(packed, state)
    return unpacked


def _merged(
    weights: TensorFolder, adapter: _Adapter, packed: frozenset[str], dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    for name in tqdm(weights.shapes, unit="tensor", mininterval=2):
        tensor = weights.read(name)
        layer = name.removesuffix(".weight")
        if layer in packed:
            tensor = through_four_bits(tensor.to(dtype)).float()
            change = adapter.change(layer)
            tensor = tensor if change is None else tensor + change
        yield name, tensor


def _adapter(folder: Path) -> _Adapter:
    try:
        config: Mapping[str, float] = json.loads((folder / "adapter_config.json").read_text())
    except (OSError, ValueError) as error:
        raise UnusableModel(f"{folder} holds no adapter: {error}. Train one first.") from error
    return _Adapter(TensorFolder(folder), config["lora_alpha"] / config["r"])


def _check_layers(adapter: _Adapter, packed: frozenset[str]) -> None:
    layers = {name.removeprefix(_PREFIX).rsplit(".lora_", 1)[0] for name in adapter.folder.shapes}
    unknown = sorted(layers - packed)
    if unknown:
        raise UnusableModel(
            f"The adapter changes {unknown[0]} and {len(unknown) - 1} more layers that this base "
            "does not have. Give the base it was trained on."
        )


def _copy_the_rest(base: Path, out: Path) -> None:
    """Copies the tokenizer's files by hand: saving it anew would lose `tokenizer.model`."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config.pop("quantization_config", None)
    config["dtype"] = "float16"
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in _COPIED:
        if (base / name).exists():
            shutil.copyfile(base / name, out / name)
