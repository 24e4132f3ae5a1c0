"""Third step: the adapter goes into the weights of its base, one tensor in memory at a time.

Usually into those it was trained on, which are the 4-bit ones: each tensor of the base is packed
to NF4 and unpacked again, as in training, and the adapter's product is added, so the result
computes what was trained. Adding it to the original weights gives a slightly other model that
answers about as well; it is what an adapter on a shared base computes. Packing the sum again
rounds the adapter's small changes away with it, so that is not to be had.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from tqdm import tqdm

from backend.domain.errors import BadSettings, UnusableModel
from backend.system.resources import check_disk, check_memory
from trainer.record import Record, read_record, write_record
from trainer.tensor_files import TensorFolder, write_tensors
from trainer.tuning.quantised_base import BLOCK, packed_layers
from trainer.tuning.settings import TrainingSettings

Into = Literal["trained", "original"]
_PREFIX = "base_model.model."
_NOT_PLAIN = ("use_dora", "modules_to_save", "lora_bias", "rank_pattern", "alpha_pattern")
_COPIED = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
)


@dataclass(frozen=True)
class Adapter:
    """An adapter as peft saves it: by layer a pair of matrices, whose scaled product is added."""

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


def merge(*, base: Path, adapter: Path, out: Path, into: Into = "trained") -> Path:
    """Writes the merged model to the folder `out`, in float16, and returns it.

    `into` says which weights the adapter is added to: the 4-bit ones as `trained`, or those of
    the `original`. Raises UnusableModel if the adapter has layers that the base has not.
    """
    if into not in get_args(Into):
        raise BadSettings(f"An adapter is merged into {' or '.join(get_args(Into))}, not {into!r}.")
    record = read_record(adapter)
    if record is None:
        raise UnusableModel(f"{adapter} has no training.json, so it is unknown how it was trained.")
    weights, changes = TensorFolder(base), read_adapter(adapter)
    packed = packed_layers(base)
    check_layers(changes, packed)
    out.mkdir(parents=True, exist_ok=True)
    check_disk(out, 2 * weights.elements, step="merge")
    check_memory(16 * weights.largest, step="merge")
    as_trained = packed if into == "trained" else frozenset()
    merged = _merged(weights, changes, as_trained, _kept_as(record))
    write_tensors(out / "model.safetensors", weights.shapes, merged, torch.float16)
    _copy_the_rest(base, adapter, out)
    write_record(_said(record, into), out)
    return out


def through_four_bits(weight: torch.Tensor) -> torch.Tensor:
    """The weight as training saw it: packed to NF4 with double quantisation, then unpacked."""
    packed, state = quantize_4bit(
        weight.contiguous(), blocksize=BLOCK, compress_statistics=True, quant_type="nf4"
    )
    unpacked: torch.Tensor = dequantize_4bit(packed, state)
    return unpacked


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
    unknown = [layer for layer in adapter.layers() if layer not in known]
    if unknown:
        raise UnusableModel(
            f"The adapter changes {unknown[0]} and {len(unknown) - 1} more layers that this base "
            "does not have. Give the base it was trained on."
        )


def _merged(
    weights: TensorFolder, adapter: Adapter, packed: frozenset[str], dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    for name in tqdm(weights.shapes, unit="tensor", mininterval=2):
        tensor = weights.read(name)
        layer = name.removesuffix(".weight")
        if layer in packed:
            tensor = through_four_bits(tensor.to(dtype))
        change = adapter.change(layer) if name.endswith(".weight") else None
        yield name, tensor if change is None else tensor.float() + change


def _kept_as(record: Record) -> torch.dtype:
    """The precision that the base was read in before it was packed."""
    known = {key: value for key, value in record.settings.items() if key != "fingerprint"}
    kept: torch.dtype = getattr(torch, TrainingSettings.from_row(known).weights)
    return kept


def _said(record: Record, into: Into) -> Record:
    method = record.method if into == "trained" else f"{record.method}; merged into the original"
    return replace(record, step="merge", method=method)


def _copy_the_rest(base: Path, adapter: Path, out: Path) -> None:
    """Copies the tokenizer's files by hand: saving it anew would lose some of it.

    Those beside the adapter count more than the base's, for training may have added the chat
    template that it needs.
    """
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config.pop("quantization_config", None)
    config["dtype"] = "float16"
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in _COPIED:
        for folder in (base, adapter):
            if (folder / name).exists():
                shutil.copyfile(folder / name, out / name)
