"""Bases with random weights, in the shapes of real models, and rows to train them on."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPTJConfig, LlamaConfig

from backend.domain.example import Example
from trainer.tuning.pretrain import byte_level_tokenizer
from trainer.tuning.settings import ModelSize

CPU: Mapping[str, Any] = {
    "compute": "float32",
    "weights": "float32",
    "optimiser": "adamw",
    "activation_checkpointing": False,
}
GPU: Mapping[str, Any] = {
    "compute": "float16",
    "weights": "float16",
    "optimiser": "paged_adamw_8bit",
    "activation_checkpointing": True,
}
_CORPUS = Path(__file__).resolve().parents[2] / "demo" / "corpus" / "solved_tickets.jsonl"


@dataclass(frozen=True)
class Shape:
    """A model's configuration and how it is trained."""

    config: Any
    training: Mapping[str, Any] = field(default_factory=lambda: CPU)


SHAPES = {
    "tiny": Shape(
        LlamaConfig(
            vocab_size=4096,
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=4,
            num_attention_heads=4,
        )
    ),
    "tiny-gptj": Shape(
        GPTJConfig(
            vocab_size=4096,
            n_embd=256,
            n_inner=768,
            n_layer=4,
            n_head=4,
            rotary_dim=32,
            n_positions=1024,
        )
    ),
    "small": Shape(
        LlamaConfig(
            vocab_size=4096,
            hidden_size=768,
            intermediate_size=2048,
            num_hidden_layers=8,
            num_attention_heads=12,
        )
    ),
    "llama2-7b": Shape(LlamaConfig(), GPU),
    "gptj-6b": Shape(GPTJConfig(), GPU),
}


def write_base(shape: str, folder: Path) -> Path:
    """A model of this shape with random weights, and a tokenizer of 4,096 tokens."""
    tokenizer = byte_level_tokenizer([one.answer for one in _solved()], ModelSize())
    tokenizer.save_pretrained(folder)
    config = SHAPES[shape].config
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    config.bos_token_id = None
    place = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    with torch.device(place):
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call,unused-ignore]
            config, dtype=getattr(torch, SHAPES[shape].training["weights"])
        )
    model.save_pretrained(folder)
    return folder


def write_examples(base: Path, folder: Path, *, rows: int, longest: int, full: bool) -> Path:
    """Solved tickets of the demo as examples; `full` repeats answers up to the longest row."""
    solved, chance = _solved(), random.Random(1)  # noqa: S311 - a fixed draw
    made = [chance.choice(solved) for _ in range(rows)]
    if full:
        made = [_filled(one, base, longest) for one in made]
    folder.mkdir()
    path = folder / "examples.jsonl"
    path.write_text("".join(one.to_json() + "\n" for one in made), encoding="utf-8")
    return path


def _filled(example: Example, base: Path, longest: int) -> Example:
    from transformers import AutoTokenizer

    from trainer.tuning.batches import example_row

    tokenizer = AutoTokenizer.from_pretrained(base)
    answer = example.answer.split()
    while True:
        longer = Example(example.question, " ".join(answer * 2), example.source)
        if len(example_row(longer, tokenizer, budget=longest).ids) > longest:
            break
        answer *= 2
    while True:
        answer.append("please")
        longer = Example(example.question, " ".join(answer), example.source)
        if len(example_row(longer, tokenizer, budget=longest).ids) > longest - 4:
            return longer


def _solved() -> list[Example]:
    found = (json.loads(line) for line in _CORPUS.read_text("utf-8").splitlines())
    return [
        Example(f"{one['subject']}\n\n{one['question']}", one["answer"], f"ticket:{one['id']}")
        for one in found
    ]
