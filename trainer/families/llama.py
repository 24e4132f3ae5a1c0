"""Llama, and what the families after it share with it: names and numbers of a gated decoder."""

from __future__ import annotations

from backend.domain.errors import UnusableModel
from trainer.families.family import Array, Config, Family
from trainer.families.rotary import halves_as_neighbours, llama3_factors, rope_numbers

NAMES = {
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


LLAMA = Family("LlamaForCausalLM", "llama", NAMES, numbers, row_order, _factors)
