"""Mistral: a Llama whose tokens see only so far back."""

from __future__ import annotations

from trainer.families.family import Config, Family, Numbers
from trainer.families.llama import NAMES, numbers, row_order, within_window


def _numbers(config: Config) -> Numbers:
    return within_window(numbers(config), config.get("sliding_window"))


MISTRAL = Family("MistralForCausalLM", "llama", NAMES, _numbers, row_order)
