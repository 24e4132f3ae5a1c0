"""Qwen2 (with Qwen2.5) and Qwen3: named like Llama, turned like transformers turns it."""

from __future__ import annotations

from trainer.families.family import Config, Family, Numbers
from trainer.families.llama import NAMES, numbers, stay, within_window

_NORMS = {
    "model.layers.{n}.self_attn.q_norm": "blk.{n}.attn_q_norm",
    "model.layers.{n}.self_attn.k_norm": "blk.{n}.attn_k_norm",
}


def _numbers(config: Config) -> Numbers:
    window = config.get("sliding_window") if config.get("use_sliding_window") else None
    return within_window(numbers(config), window)


QWEN2 = Family("Qwen2ForCausalLM", "qwen2", NAMES, _numbers, stay)
QWEN3 = Family("Qwen3ForCausalLM", "qwen3", NAMES | _NORMS, _numbers, stay)
