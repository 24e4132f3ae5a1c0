"""Writes a Llama of transformers as a GGUF, with nothing lost on the way.

llama.cpp turns neighbouring pairs of a head's rows where transformers turns the two halves, so
the rows of the query and key weights change places (`permuted`). The rest is names and numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from backend.domain.errors import UnusableModel
from trainer.tensor_files import TensorFolder
from trainer.vocabulary import add_vocabulary

ARCHITECTURES = ("LlamaForCausalLM",)


def write_llama(model: Path, out: Path, *, name: str) -> None:
    """Writes the model of a transformers folder to the GGUF `out`, as float16.

    First all names and shapes, then one tensor after the other, so memory holds one.
    """
    config = read_config(model)
    weights = TensorFolder(model)
    writer = gguf.GGUFWriter(out, "llama")
    _add_numbers(writer, config, name)
    add_vocabulary(writer, model, rows=config["vocab_size"])
    names = _gguf_names(weights, config)
    for source, target in names.items():
        dtype = np.dtype(np.float32 if _stays_float32(weights.shapes[source]) else np.float16)
        shape = weights.shapes[source]
        size = int(np.prod(shape)) * dtype.itemsize
        writer.add_tensor_info(target, shape, dtype, size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for source in names:
        writer.write_tensor_data(_array(weights, source, config))
    writer.close()


def read_config(model: Path) -> dict[str, Any]:
    """The config of a model. Raises UnusableModel unless it is a Llama that can be written."""
    try:
        config: dict[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableModel(f"{model} has no config.json that can be read: {error}.") from error
    architecture = (config.get("architectures") or ["none"])[0]
    if architecture not in ARCHITECTURES:
        raise UnusableModel(
            f"The architecture {architecture} cannot be written as GGUF yet; "
            f"{', '.join(ARCHITECTURES)} can."
        )
    if config.get("attention_bias") or config.get("mlp_bias"):
        raise UnusableModel("A Llama with biases cannot be written as GGUF yet.")
    return config


def rope_base(config: Mapping[str, Any]) -> float:
    """The base of the rotary angles, in the old spelling of config.json or in the new one."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise UnusableModel(f"Rotary angles of the kind {kind!r} cannot be written as GGUF yet.")
    return float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)


def permuted(rows: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """The rows of a query or key weight with the halves of each head interleaved."""
    return (
        rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
        .swapaxes(1, 2)
        .reshape(rows.shape)
    )


def _add_numbers(writer: Any, config: Mapping[str, Any], name: str) -> None:
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(rope_base(config))
    writer.add_vocab_size(config["vocab_size"])


def _gguf_names(weights: TensorFolder, config: Mapping[str, Any]) -> dict[str, str]:
    """The name in GGUF of each tensor. An output shared with the embedding is left out."""
    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    names = {}
    for source in weights.shapes:
        if source == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        target = known.get_name(source, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise UnusableModel(f"The tensor {source} has no place in a Llama of llama.cpp.")
        names[source] = target
    return names


def _array(weights: TensorFolder, name: str, config: Mapping[str, Any]) -> npt.NDArray[Any]:
    tensor: npt.NDArray[Any] = weights.read(name).float().numpy()
    heads = config["num_attention_heads"]
    if name.endswith("q_proj.weight"):
        tensor = permuted(tensor, heads)
    elif name.endswith("k_proj.weight"):
        tensor = permuted(tensor, config.get("num_key_value_heads") or heads)
    return tensor if _stays_float32(tensor.shape) else tensor.astype(np.float16)


def _stays_float32(shape: tuple[int, ...]) -> bool:
    """Norms are small and sensitive; llama.cpp wants them whole."""
    return len(shape) == 1
