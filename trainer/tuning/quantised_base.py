"""Loads a base model in 4 bits and puts the weights to be trained beside it (QLoRA)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig

from backend.domain.errors import UnusableModel
from trainer.tuning.settings import TrainingSettings

BLOCK = 64  # weights that share one scale; the default of bitsandbytes


def load_in_four_bits(base: Path, settings: TrainingSettings) -> Any:
    """The model of a folder with all its linear layers but the output packed as NF4.

    The packed bytes are kept in tensors of the weights' type, which `fully_shard` can split.
    """
    if not (base / "config.json").exists():
        raise UnusableModel(f"{base} has no config.json, so it is no model of transformers.")
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        base,
        quantization_config=BitsAndBytesConfig(  # type: ignore[no-untyped-call,unused-ignore]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, settings.loop.compute),
            bnb_4bit_quant_storage=getattr(torch, settings.weights),
        ),
        device_map={"": torch.cuda.current_device() if on_gpu else "cpu"},
        dtype=getattr(torch, settings.weights),
    )
    keep_unpacked(model)
    return model


def keep_unpacked(model: Any) -> None:
    """Forbids bitsandbytes to repack weights for AVX512-BF16; to be called before any forward.

    bitsandbytes 0.50.2 does it in place at the first evaluation and never undoes it. Gradients
    and dequantised weights are then silently wrong (see `trainer/LOG.md`).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def with_adapter(model: Any, settings: TrainingSettings) -> Any:
    """The model with a LoRA on every linear layer; nothing else of it can be trained."""
    for weight in model.parameters():
        weight.requires_grad_(False)
    if settings.activation_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    torch.manual_seed(settings.loop.seed)
    adapter = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():  # peft 0.21 asks for a name that transformers 5 renamed
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, adapter)


def packed_layers(base: Path) -> frozenset[str]:
    """The names of the linear layers that `load_in_four_bits` packs: all but the output."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call,unused-ignore]
            AutoConfig.from_pretrained(base)
        )
    output = model.get_output_embeddings()
    return frozenset(
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not output
    )
