"""Tiny models of each family, random or briefly trained, and tokenizers of each kind."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPTJConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from trainer.gguf.parity import QUESTIONS
from trainer.gguf.vocabulary import SPLITS
from trainer.record import Record, write_record
from trainer.tuning.pretrain import CHAT_TEMPLATE, END, PADDING, START_OF_TURN
from trainer.tuning.pretrain import byte_level_tokenizer as gpt2_tokenizer
from trainer.tuning.quantised_base import with_adapter
from trainer.tuning.settings import ModelSize, TrainingSettings

TOKENS = 512
ROWS = 520
"""Rows of the embeddings: more than there are tokens, as in GPT-J and Qwen."""
_SHARED: dict[str, Any] = {
    "vocab_size": ROWS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.1,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
_YARN = {
    "rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0,
    "original_max_position_embeddings": 256,
}  # fmt: skip
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**_SHARED),
    "llama with biases, tied": lambda: LlamaConfig(
        **_SHARED, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, head_dim=32
    ),
    "llama 3": lambda: LlamaConfig(**_SHARED, rope_parameters=_LLAMA3),
    "llama, linear": lambda: LlamaConfig(
        **_SHARED, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
    ),
    "mistral": lambda: MistralConfig(**_SHARED, head_dim=32, sliding_window=896),
    "qwen2": lambda: Qwen2Config(**_SHARED, tie_word_embeddings=True),
    "qwen2, yarn": lambda: Qwen2Config(**_SHARED, rope_parameters=_YARN),
    "qwen3": lambda: Qwen3Config(**_SHARED, head_dim=32),
    "gptj": lambda: GPTJConfig(
        vocab_size=ROWS, n_embd=128, n_layer=2, n_head=4, n_positions=1024, rotary_dim=16,
        initializer_range=0.1, bos_token_id=None, eos_token_id=2,
    ),
}  # fmt: skip


def write_model(folder: Path, config: Any, tokenizer: Any, *, seed: int = 1) -> Path:
    """Random weights that float16 can hold exactly, biases too, and the tokenizer's files."""
    torch.manual_seed(seed)
    kind: Any = AutoModelForCausalLM
    model = kind.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
            weight.copy_(weight.half().float())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def words() -> list[str]:
    """What the tokenizers are made from."""
    return [*QUESTIONS, *(question.lower() for question in QUESTIONS)] * 2


def byte_level_tokenizer() -> Any:
    """As GPT-2's: splits with its own rule."""
    return gpt2_tokenizer(words(), ModelSize(vocabulary=TOKENS, context=1024))


def tokenizer_with_split(name: str) -> Any:
    """A byte-level tokenizer that splits texts in the way that llama.cpp calls `name`."""
    steps = next(steps for steps, known in SPLITS.items() if known == name)
    tokenizer = Tokenizer(models.BPE(ignore_merges=name in ("llama-bpe", "tekken")))
    parts: list[Any] = []
    for step in steps:
        if step == "Digits":
            parts.append(pre_tokenizers.Digits(individual_digits=True))
        elif step != "ByteLevel":
            parts.append(pre_tokenizers.Split(Regex(step), behavior="isolated"))
    own = "ByteLevel" in steps
    parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=own))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.normalizer = normalizers.NFC() if name == "qwen2" else None
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=[PADDING, START_OF_TURN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words(), trainer)
    return _chatting(tokenizer)


def _chatting(tokenizer: Any) -> Any:
    kind: Any = PreTrainedTokenizerFast
    fast = kind(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PADDING,
        additional_special_tokens=[START_OF_TURN],
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def write_sentence_pieces(folder: Path, *, legacy: bool) -> Path:
    """A `tokenizer.model` as LLaMA-2's, made by sentencepiece itself, with its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in words() for line in text.split("\n")),
        model_writer=made,
        model_type="bpe",
        vocab_size=TOKENS,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(made.getvalue())
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "legacy": legacy,
        "add_bos_token": True,
        "chat_template": "{{ bos_token }}{% for message in messages %}[INST] "
        "{{ message['content'] }} [/INST]{% endfor %}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": ROWS}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_adapter(folder: Path, base: Path, settings: TrainingSettings) -> Path:
    """An adapter on all linear layers with random matrices, as a training would leave it."""
    folder.mkdir()
    torch.manual_seed(5)
    model = with_adapter(AutoModelForCausalLM.from_pretrained(base), settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.02)
    model.save_pretrained(folder)
    write_record(Record(step="train", method="QLoRA", settings=settings.to_row()), folder)
    return folder


def read_aloud(folder: Path, texts: Sequence[str], *, steps: int = 40) -> Path:
    """Lets a model read texts until its favourites stand out, as in a real model."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    rows = [torch.tensor([tokenizer(text + END)["input_ids"]]) for text in texts]
    for step in range(steps):
        ids = rows[step % len(rows)]
        model(ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    return folder
