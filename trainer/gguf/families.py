"""The families of models that can be written as GGUF: names, numbers and the order of rows of each.

Everything else of an export is the same for all of them.
"""

from __future__ import annotations

import json
import math
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
LLAMA_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers.{n}.input_layernorm": "blk.{n}.attn_norm",
    "model.layers.{n}.self_attn.q_proj": "blk.{n}.attn_q",
    "model.layers.{n}.self_attn.k_proj": "blk.{n}.attn_k",
    "model.layers.{n}.self_attn.v_proj": "blk.{n}.attn_v",
    "model.layers.{n}.self_attn.o_proj": "blk.{n}.attn_output",
    "model.layers.{n}.post_attention_layernorm": "blk.{n}.ffn_norm",
    "model.layers.{n}.mlp.gate_proj": "blk.{n}.ffn_gate",
    "model.layers.{n}.mlp.up_proj": "blk.{n}.ffn_up",
    "model.layers.{n}.mlp.down_proj": "blk.{n}.ffn_down",
}
QWEN3_NORMS = {
    "model.layers.{n}.self_attn.q_norm": "blk.{n}.attn_q_norm",
    "model.layers.{n}.self_attn.k_norm": "blk.{n}.attn_k_norm",
}
GPTJ_NAMES = {
    "transformer.wte": "token_embd",
    "transformer.ln_f": "output_norm",
    "lm_head": "output",
    "transformer.h.{n}.ln_1": "blk.{n}.attn_norm",
    "transformer.h.{n}.attn.q_proj": "blk.{n}.attn_q",
    "transformer.h.{n}.attn.k_proj": "blk.{n}.attn_k",
    "transformer.h.{n}.attn.v_proj": "blk.{n}.attn_v",
    "transformer.h.{n}.attn.out_proj": "blk.{n}.attn_output",
    "transformer.h.{n}.mlp.fc_in": "blk.{n}.ffn_up",
    "transformer.h.{n}.mlp.fc_out": "blk.{n}.ffn_down",
}
_ACTIVATIONS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")


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
    added: Callable[[Config], Mapping[str, Array]] = lambda _config: {}

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


def family_of(config: Config) -> Family:
    """The family of a model's config. Raises UnusableModel for one that is not known here."""
    architecture = (config.get("architectures") or ["none"])[0]
    if architecture not in FAMILIES:
        raise UnusableModel(
            f"The architecture {architecture} cannot be written as GGUF here; "
            f"{', '.join(FAMILIES)} can. llama.cpp's own converter may know it: "
            "`export --converter PATH/convert_hf_to_gguf.py`."
        )
    return FAMILIES[architecture]


def rope(config: Config) -> dict[str, object]:
    """The settings of the rotary angles, in the old spelling of config.json or in the new one."""
    found = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    kind = found.get("rope_type", found.get("type", "default"))
    base = found.get("rope_theta") or config.get("rope_theta") or 10_000.0
    if found.get("partial_rotary_factor", config.get("partial_rotary_factor") or 1) != 1:
        raise UnusableModel("Heads that are turned in part only cannot be written as GGUF yet.")
    return {**found, "kind": kind, "base": float(base)}


def rope_numbers(config: Config) -> dict[str, int | float | str]:
    """The GGUF's keys for the rotary angles. Raises UnusableModel for a kind it cannot express."""
    found = rope(config)
    numbers: dict[str, int | float | str] = {"rope.freq_base": _number(found["base"])}
    if found["kind"] in ("linear", "yarn"):
        numbers["rope.scaling.type"] = str(found["kind"])
        numbers["rope.scaling.factor"] = _number(found["factor"])
    if found["kind"] == "yarn":
        original = found.get("original_max_position_embeddings")
        numbers["rope.scaling.original_context_length"] = int(
            _number(original or config["max_position_embeddings"])
        )
    elif found["kind"] not in ("default", "linear", "llama3"):
        raise UnusableModel(
            f"Rotary angles of the kind {found['kind']!r} cannot be written as GGUF yet. "
            "llama.cpp's own converter may know it: `export --converter PATH`."
        )
    return numbers


def llama3_factors(config: Config, head_size: int) -> Array | None:
    """By what Llama 3.1 and later divide each angle's speed; None for other models.

    After `_compute_llama3_parameters` in transformers' modeling_rope_utils.py.
    """
    found = rope(config)
    if found["kind"] != "llama3":
        return None
    factor, low, high, original = (
        _number(found[name])
        for name in (
            "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
        )
    )  # fmt: skip
    speeds = _number(found["base"]) ** -(np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    waves = 2 * math.pi / speeds
    smooth = (original / waves - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    factors = np.where(
        waves < original / high, 1.0, np.where(waves > original / low, factor, between)
    )
    return factors.astype(np.float32)


def halves_as_neighbours(heads: int, size: int) -> Array:
    """The order of rows that makes neighbours of what stood in the two halves of a head.

    transformers turns the two halves of a head together (or, for GPT-J, neighbours); llama.cpp has
    both ways too, but an architecture has only one of them. Where they differ, rows change their
    places, which changes nothing in the product of query and key.
    """
    order = np.arange(size).reshape(2, size // 2).T.ravel()
    return _for_each_head(order, heads, size)


def neighbours_as_halves(heads: int, size: int, turned: int) -> Array:
    """The opposite, where only the first `turned` rows of a head are turned."""
    order = np.concatenate([np.arange(turned).reshape(-1, 2).T.ravel(), np.arange(turned, size)])
    return _for_each_head(order, heads, size)


def _for_each_head(order: Array, heads: int, size: int) -> Array:
    return (np.arange(heads)[:, None] * size + order).ravel()


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise UnusableModel(f"config.json gives {value!r} where a number belongs.")
    return float(value)


def head_size(config: Config) -> int:
    """Rows of one head."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def key_value_heads(config: Config) -> int:
    """Heads of keys and values, fewer than those of queries where these share them."""
    return int(config.get("num_key_value_heads") or config["num_attention_heads"])


def numbers(config: Config) -> dict[str, int | float | str]:
    """The GGUF's keys. Raises UnusableModel for another activation than SiLU."""
    if config.get("hidden_act", "silu") != "silu":
        raise UnusableModel(f"llama.cpp has SiLU here, this model has {config['hidden_act']}.")
    return {
        "context_length": int(config["max_position_embeddings"]),
        "embedding_length": int(config["hidden_size"]),
        "block_count": int(config["num_hidden_layers"]),
        "feed_forward_length": int(config["intermediate_size"]),
        "attention.head_count": int(config["num_attention_heads"]),
        "attention.head_count_kv": key_value_heads(config),
        "attention.key_length": head_size(config),
        "attention.value_length": head_size(config),
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.dimension_count": head_size(config),
        "vocab_size": int(config["vocab_size"]),
        **rope_numbers(config),
    }


def within_window(
    found: dict[str, int | float | str], window: object
) -> dict[str, int | float | str]:
    """The numbers with the context cut to a sliding window, if there is one.

    llama.cpp lets these models attend to everything. As long as a text is no longer than the
    window, that is the same.
    """
    if isinstance(window, int) and 0 < window < int(found["context_length"]):
        return {**found, "context_length": window}
    return found


def row_order(module: str, config: Config) -> Array | None:
    """Queries and keys: llama.cpp turns neighbours, transformers the halves of a head."""
    heads = {"q_proj": int(config["num_attention_heads"]), "k_proj": key_value_heads(config)}
    count = heads.get(module.rpartition(".")[2])
    return halves_as_neighbours(count, head_size(config)) if count else None


def stay(_module: str, _config: Config) -> None:
    """For families whose rows llama.cpp turns as transformers does."""


def _factors(config: Config) -> dict[str, Array]:
    factors = llama3_factors(config, head_size(config))
    return {} if factors is None else {"rope_freqs.weight": factors}


LLAMA = Family("LlamaForCausalLM", "llama", LLAMA_NAMES, numbers, row_order, _factors)


def _mistral_numbers(config: Config) -> Numbers:
    return within_window(numbers(config), config.get("sliding_window"))


MISTRAL = Family("MistralForCausalLM", "llama", LLAMA_NAMES, _mistral_numbers, row_order)


def _qwen_numbers(config: Config) -> Numbers:
    window = config.get("sliding_window") if config.get("use_sliding_window") else None
    return within_window(numbers(config), window)


QWEN2 = Family("Qwen2ForCausalLM", "qwen2", LLAMA_NAMES, _qwen_numbers, stay)
QWEN3 = Family("Qwen3ForCausalLM", "qwen3", LLAMA_NAMES | QWEN3_NORMS, _qwen_numbers, stay)


def _turned(config: Config) -> int:
    return int(config.get("rotary_dim") or config["n_embd"] // config["n_head"])


def _gptj_numbers(config: Config) -> Numbers:
    activation = config.get("activation_function", "gelu_new")
    if activation not in _ACTIVATIONS:
        raise UnusableModel(f"llama.cpp's phi2 has the GELU of GPT-J, this model has {activation}.")
    if config.get("tie_word_embeddings"):
        raise UnusableModel("A GPT-J whose output is its embedding cannot be written as GGUF yet.")
    return {
        "context_length": int(config["n_positions"]),
        "embedding_length": int(config["n_embd"]),
        "block_count": int(config["n_layer"]),
        "feed_forward_length": int(config.get("n_inner") or 4 * config["n_embd"]),
        "attention.head_count": int(config["n_head"]),
        "attention.head_count_kv": int(config["n_head"]),
        "attention.layer_norm_epsilon": float(config["layer_norm_epsilon"]),
        "rope.dimension_count": _turned(config),
        "rope.freq_base": 10_000.0,
        "vocab_size": int(config["vocab_size"]),
    }


def _gptj_row_order(module: str, config: Config) -> Array | None:
    if not module.endswith((".q_proj", ".k_proj")):
        return None
    heads = int(config["n_head"])
    return neighbours_as_halves(heads, int(config["n_embd"]) // heads, _turned(config))


def _no_biases(config: Config) -> dict[str, Array]:
    nothing = np.zeros(int(config["n_embd"]), dtype=np.float32)
    return {
        f"blk.{layer}.attn_{part}.bias": nothing
        for layer in range(int(config["n_layer"]))
        for part in ("q", "k", "v", "output")
    }


GPTJ = Family("GPTJForCausalLM", "phi2", GPTJ_NAMES, _gptj_numbers, _gptj_row_order, _no_biases)
"""Written as `phi2`, for llama.cpp has no graph for GPT-J, and phi2 computes the same: attention
and the inner layer stand side by side behind one norm, the activation is the same, a part of each
head is turned. Two things differ. GPT-J turns neighbours and phi2 the halves, so rows change
places; and phi2 has biases in the attention, which are zero."""


FAMILIES = {family.architecture: family for family in (LLAMA, MISTRAL, QWEN2, QWEN3, GPTJ)}
