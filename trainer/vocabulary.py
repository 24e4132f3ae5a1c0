"""Carries a tokenizer into a GGUF so that llama.cpp makes the same token ids of every text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
from transformers import AutoTokenizer

from backend.domain.errors import UnusableModel

_GPT2_SPLIT: dict[str, Any] = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "use_regex": True,
}


def add_vocabulary(writer: Any, model: Path, *, rows: int) -> None:
    """Writes tokens, merges, special tokens and chat template of a model's tokenizer.

    `rows` is the height of the embedding; rows without a token become unused ones.
    Raises UnusableModel for a tokenizer that llama.cpp would split differently.
    """
    tokenizer = AutoTokenizer.from_pretrained(model)
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    _check_kind(parts)
    tokens, kinds = _tokens(tokenizer, parts, rows)
    merges = [
        merge if isinstance(merge, str) else " ".join(merge) for merge in parts["model"]["merges"]
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    _add_special_tokens(writer, tokenizer)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _check_kind(parts: Mapping[str, Any]) -> None:
    split = parts.get("pre_tokenizer") or {}
    known = all(split.get(key) == value for key, value in _GPT2_SPLIT.items())
    if parts["model"]["type"] != "BPE" or not known or parts.get("normalizer"):
        raise UnusableModel(
            "This tokenizer cannot be written as GGUF yet: only a byte-level BPE that splits "
            f"text as GPT-2 does can. This is {parts['model']['type']} behind "
            f"{split.get('type', 'nothing')}."
        )


def _tokens(tokenizer: Any, parts: Mapping[str, Any], rows: int) -> tuple[list[str], list[int]]:
    by_id = {number: token for token, number in tokenizer.get_vocab().items()}
    added = {one["id"]: one for one in parts.get("added_tokens", ())}
    tokens: list[str] = []
    kinds: list[int] = []
    for number in range(rows):
        if number not in by_id:
            tokens.append(f"[PAD{number}]")
            kinds.append(gguf.TokenType.UNUSED)
            continue
        tokens.append(by_id[number])
        if number not in added:
            kinds.append(gguf.TokenType.NORMAL)
        elif added[number]["special"]:
            kinds.append(gguf.TokenType.CONTROL)
        else:
            kinds.append(gguf.TokenType.USER_DEFINED)
    return tokens, kinds


def _add_special_tokens(writer: Any, tokenizer: Any) -> None:
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.eos_token_id is not None:
        writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    first = tokenizer("a")["input_ids"][0]
    writer.add_add_bos_token(tokenizer.bos_token_id is not None and first == tokenizer.bos_token_id)
    writer.add_add_eos_token(False)
