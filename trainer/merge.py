"""Third step: the adapter goes into the weights of its base, one tensor in memory at a time.

Usually into those it was trained on, which are the 4-bit ones: each tensor of the base is packed
to NF4 and unpacked again, as in training, and the adapter's product is added, so the result
computes what was trained. Adding it to the original weights gives a slightly other model that
answers about as well; it is what an adapter on a shared base computes. Packing the sum again
rounds the adapter's small changes away with it, so that is not to be had.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from backend.domain.errors import BadSettings, UnusableModel
from trainer.adapter import Adapter, check_layers, read_adapter
from trainer.quantised import BLOCK, packed_layers
from trainer.record import Record, read_record, write_record
from trainer.room import check_disk, check_memory
from trainer.settings import TrainingSettings
from trainer.tensor_files import TensorFolder, write_tensors

Into = Literal["trained", "original"]
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
