"""Writes a model of transformers as a GGUF, nothing lost, one tensor in memory at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from backend.domain.errors import BadInput, UnusableModel
from trainer.gguf.families import Array, Config, Family, family_of, read_config_file
from trainer.gguf.vocabulary import add_vocabulary
from trainer.tensor_files import TensorFolder

_OUTPUT = "lm_head.weight"
_LAST = 2000
"""Characters of what a converter said that are told when it fails."""


@dataclass(frozen=True)
class SourceModel:
    """A model's folder, seen by its family."""

    folder: Path
    config: Config
    family: Family
    weights: TensorFolder

    def names(self) -> dict[str, str]:
        """The GGUF's name of each tensor. An output shared with the embedding is left out.

        Raises UnusableModel for a tensor too many or too few.
        """
        tied = self.config.get("tie_word_embeddings")
        names = {
            name: self.family.gguf_name(name)
            for name in self.weights.shapes
            if not (tied and name == _OUTPUT)
        }
        missing = [name for name in self.family.weights(self.config) if name not in names]
        if [name for name in missing if not (tied and name == _OUTPUT)]:
            raise UnusableModel(
                f"{self.folder} has no tensor {missing[0]}: the model is not complete. "
                "Merge or download it again."
            )
        return names


def source(model: Path) -> SourceModel:
    """The model in a folder. Raises UnusableModel if its family is not known."""
    config = read_config_file(model)
    return SourceModel(model, config, family_of(config), TensorFolder(model))


def context_tokens(model: Path) -> int:
    """The longest text that a model and its GGUF compute alike; 0 for a family unknown here."""
    config = read_config_file(model)
    try:
        return int(family_of(config).numbers(config)["context_length"])
    except UnusableModel:
        return int(config.get("max_position_embeddings") or config.get("n_positions") or 0)


def check_writable(model: Path) -> None:
    """Raises UnusableModel for a model that cannot be written, before anything is."""
    found = source(model)
    found.names()
    found.family.numbers(found.config)


def write_gguf(model: Path, out: Path, *, name: str) -> None:
    """Writes the model of a folder to `out` as float16; norms and biases stay float32.

    First come all names, numbers and shapes, then the weights one after the other.
    """
    found = source(model)
    names = found.names()
    added = found.family.added(found.config)
    shapes = {names[name]: found.weights.shapes[name] for name in names}
    shapes |= {name: values.shape for name, values in added.items()}
    with closing(gguf.GGUFWriter(out, found.family.gguf)) as writer:
        writer.add_name(name)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        add_numbers(writer, found.family.gguf, found.family.numbers(found.config))
        add_vocabulary(writer, model, rows=int(found.config["vocab_size"]))
        write_streamed(writer, shapes, _tensors(found, names, added))


def convert_with(converter: Path, model: Path, out: Path) -> None:
    """Writes the model as float16 GGUF with llama.cpp's own script `convert_hf_to_gguf.py`.

    It knows more architectures; it is not packaged and needs its own requirements. Raises
    UnusableModel with the end of what the script said if it fails.
    """
    if not converter.is_file():
        raise BadInput(
            f"{converter} is no file. Give the path of llama.cpp's convert_hf_to_gguf.py."
        )
    command = [
        sys.executable,
        str(converter),
        str(model),
        "--outfile",
        str(out),
        "--outtype",
        "f16",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0 or not out.is_file():
        raise UnusableModel(
            f"{converter.name} ended with {done.returncode} and wrote no GGUF. Its last words:\n"
            f"{(done.stderr or done.stdout).strip()[-_LAST:]}"
        )


def add_numbers(writer: Any, architecture: str, numbers: Mapping[str, int | float | str]) -> None:
    """Writes the numbers of an architecture under their keys."""
    for key, value in numbers.items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add[type(value)](f"{architecture}.{key}", value)


def write_streamed(
    writer: Any, shapes: Mapping[str, tuple[int, ...]], tensors: Iterator[Array]
) -> None:
    """Writes the tensors as they come, in the order of `shapes`."""
    for name, shape in shapes.items():
        dtype = np.dtype(np.float32 if len(shape) == 1 else np.float16)
        writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, values in zip(shapes, tensors, strict=True):
        writer.write_tensor_data(_as_stored(name, values))


def _tensors(
    found: SourceModel, names: Mapping[str, str], added: Mapping[str, Array]
) -> Iterator[Array]:
    for name in names:
        values: Array = found.weights.read(name).float().numpy()
        yield found.family.in_order(name.rpartition(".")[0], values, found.config)
    yield from added.values()


def _as_stored(name: str, values: Array) -> Array:
    """Norms and biases are small and sensitive; llama.cpp wants them whole."""
    if values.ndim == 1:
        return values.astype(np.float32)
    if not max(values.max(), -values.min()) <= np.finfo(np.float16).max:
        raise UnusableModel(
            f"{name} has values that float16 cannot hold. The model is broken, or was trained in "
            "a wider format than a GGUF in float16 can carry."
        )
    return values.astype(np.float16)
