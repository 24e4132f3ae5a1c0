"""GPT-J, written as the architecture `phi2`, for llama.cpp has no graph for GPT-J.

phi2 computes the same: attention and the inner layer stand side by side behind one norm, the
activation is the same, a part of each head is turned. Two things differ. GPT-J turns neighbours
and phi2 the halves, so rows change places; and phi2 has biases in the attention, which are zero.
"""

from __future__ import annotations

import numpy as np

from backend.domain.errors import UnusableModel
from trainer.families.family import Array, Config, Family, Numbers
from trainer.families.rotary import neighbours_as_halves

NAMES = {
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


def _turned(config: Config) -> int:
    return int(config.get("rotary_dim") or config["n_embd"] // config["n_head"])


def _numbers(config: Config) -> Numbers:
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


def _row_order(module: str, config: Config) -> Array | None:
    if not module.endswith((".q_proj", ".k_proj")):
        return None
    heads = int(config["n_head"])
    return neighbours_as_halves(heads, int(config["n_embd"]) // heads, _turned(config))


def _added(config: Config) -> dict[str, Array]:
    nothing = np.zeros(int(config["n_embd"]), dtype=np.float32)
    return {
        f"blk.{layer}.attn_{part}.bias": nothing
        for layer in range(int(config["n_layer"]))
        for part in ("q", "k", "v", "output")
    }


GPTJ = Family("GPTJForCausalLM", "phi2", NAMES, _numbers, _row_order, _added)
