"""Reads and writes weights one tensor at a time, so that memory holds one and not the model."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open

from backend.domain.errors import UnusableModel
from backend.system.files import whole_file

_NAMES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}
_WHOLE = ("model.safetensors", "adapter_model.safetensors", "pytorch_model.bin")
"""Names of the only file, in the order in which transformers and peft look for them."""
_BUFFERS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")


class TensorFolder:
    """The weights of a model's or an adapter's folder, from the files that transformers would load.

    Buffers that older versions of transformers saved with the weights are left out.
    """

    def __init__(self, folder: Path) -> None:
        files = weight_files(folder)
        self._pickled = {file: _mapped(file) for file in files if file.suffix == ".bin"}
        if not files:
            raise UnusableModel(
                f"{folder} has no weights: neither .safetensors nor pytorch_model.bin. "
                "Download the model again, or save it with `save_pretrained`."
            )
        self._files: dict[str, Path] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for file in files:
            for name, shape in self._shapes_in(file):
                if not name.endswith(_BUFFERS):
                    self._files[name] = file
                    self._shapes[name] = shape

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each tensor by its name, in the files' order."""
        return self._shapes

    @property
    def elements(self) -> int:
        """How many weights there are."""
        return sum(math.prod(shape) for shape in self._shapes.values())

    @property
    def largest(self) -> int:
        """How many weights the largest tensor has."""
        return max(math.prod(shape) for shape in self._shapes.values())

    def read(self, name: str) -> torch.Tensor:
        """One tensor. Raises UnusableModel if there is none of this name."""
        if name not in self._files:
            raise UnusableModel(f"The weights have no tensor {name!r}; the model is incomplete.")
        file = self._files[name]
        if file in self._pickled:
            return self._pickled[file][name]
        with safe_open(file, framework="pt") as opened:
            tensor: torch.Tensor = opened.get_tensor(name)
        return tensor

    def _shapes_in(self, file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
        if file in self._pickled:
            for name, tensor in self._pickled[file].items():
                yield name, tuple(tensor.shape)
            return
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no dict
                yield name, tuple(opened.get_slice(name).get_shape())


def weight_files(folder: Path) -> list[Path]:
    """The files with a model's or adapter's weights: safetensors, else `.bin` files of older ones.

    Of several files only those count that an index names: beside its shards Mistral 7B has a
    consolidated.safetensors with the same weights under other names. Raises UnusableModel if one
    is missing.
    """
    for whole in _WHOLE:
        if (folder / whole).is_file():
            return [folder / whole]
        index = folder / f"{whole}.index.json"
        if index.is_file():
            named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            files = [folder / name for name in sorted(set(named))]
            missing = [file.name for file in files if not file.is_file()]
            if missing:
                raise UnusableModel(f"{folder} lacks {', '.join(missing)}. Download it again.")
            return files
    return []


def _mapped(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.bin` file, read from the disk only when they are used."""
    try:
        found: dict[str, torch.Tensor] = torch.load(
            file, map_location="cpu", mmap=True, weights_only=True
        )
    except (RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise UnusableModel(
            f"{file} cannot be read: {error}. Take a model with .safetensors files."
        ) from error
    return found


def write_tensors(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    tensors: Iterable[tuple[str, torch.Tensor]],
    dtype: torch.dtype,
) -> None:
    """Writes a safetensors file as the tensors come, in the order of `shapes`.

    The header stands first in the format, so it is made from the shapes alone.
    """
    size = torch.empty((), dtype=dtype).element_size()
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, shape in shapes.items():
        end = start + math.prod(shape) * size
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for (name, shape), (given, tensor) in zip(shapes.items(), tensors, strict=True):
            if given != name or tuple(tensor.shape) != tuple(shape):
                raise UnusableModel(f"Expected tensor {name} {shape}, got {given} {tensor.shape}.")
            plain = tensor.to(dtype).contiguous().view(torch.uint8)
            file.write(plain.numpy().tobytes())
