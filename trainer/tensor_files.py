"""Reads and writes weights one tensor at a time, so that memory holds one and not the model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open

from backend.domain.errors import UnusableModel

_NAMES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32"}


class TensorFolder:
    """The weights of a folder, in one safetensors file or in several."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise UnusableModel(
                f"{folder} has no .safetensors file. Save the model with `save_pretrained` first."
            )
        self._files: dict[str, Path] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for file in files:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 - it is no dict
                    self._files[name] = file
                    self._shapes[name] = tuple(opened.get_slice(name).get_shape())

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each tensor by its name, in the files' order."""
        return self._shapes

    def read(self, name: str) -> torch.Tensor:
        """One tensor. Raises UnusableModel if there is none of this name."""
        if name not in self._files:
            raise UnusableModel(f"The weights have no tensor {name!r}; the model is incomplete.")
        with safe_open(self._files[name], framework="pt") as opened:
            tensor: torch.Tensor = opened.get_tensor(name)
        return tensor


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
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for (name, shape), (given, tensor) in zip(shapes.items(), tensors, strict=True):
            if given != name or tuple(tensor.shape) != tuple(shape):
                raise UnusableModel(f"Expected tensor {name} {shape}, got {given} {tensor.shape}.")
            plain = tensor.to(dtype).contiguous().view(torch.uint8)
            file.write(plain.numpy().tobytes())
    unfinished.replace(path)
