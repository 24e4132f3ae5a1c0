"""Puts the vocabulary in a GGUF back into the files of a transformers tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf

from trainer.gguf.vocabulary import SPLITS

VOCABULARIES = {
    "llama-spm": "",
    "llama-bpe": "llama-bpe",
    "gpt-2": "gpt-2",
    "qwen2": "qwen2",
    "starcoder": "smollm",
}
"""The vocabularies in llama.cpp's sources that are of our kinds, and their split."""


def write_tokenizer(path: Path, folder: Path, name: str) -> int:
    """Writes tokenizer.json and its settings; returns how many tokens there are."""
    fields = gguf.GGUFReader(path).fields
    found = {
        key: fields[f"tokenizer.ggml.{key}"].contents()
        for key in ("tokens", "scores", "token_type", "merges")
        if f"tokenizer.ggml.{key}" in fields
    }
    folder.mkdir(parents=True)
    pieces = name == "llama-spm"
    whole = _sentence_pieces(found) if pieces else _byte_level(found, VOCABULARIES[name])
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    if pieces:
        settings = {"tokenizer_class": "LlamaTokenizer", "legacy": True, "bos_token": "<s>"}
        settings |= {"eos_token": "</s>", "unk_token": "<unk>"}
    rows = len(found["tokens"])
    for file, value in (
        ("tokenizer.json", whole),
        ("tokenizer_config.json", settings),
        ("config.json", {"model_type": "llama", "vocab_size": rows}),
    ):
        (folder / file).write_text(json.dumps(value), encoding="utf-8")
    return rows


def _byte_level(found: dict[str, Any], split: str) -> dict[str, Any]:
    steps = next(steps for steps, known in SPLITS.items() if known == split)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    parts: list[dict[str, Any]] = []
    for step in steps:
        if step == "Digits":
            parts.append({"type": "Digits", "individual_digits": True})
        elif step != "ByteLevel":
            pattern = {"Regex": step}
            parts.append(
                {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
            )
    parts.append({**byte_level, "use_regex": "ByteLevel" in steps})
    return _whole(
        found,
        merges=found["merges"],
        pre_tokenizer={"type": "Sequence", "pretokenizers": parts},
        normalizer={"type": "NFC"} if split == "qwen2" else None,
        decoder={**byte_level, "use_regex": True},
        more={"ignore_merges": split == "llama-bpe"},
    )


def _sentence_pieces(found: dict[str, Any]) -> dict[str, Any]:
    """With the merges that transformers 4 made of the scores, as in the hub's tokenizer.json."""
    ids = {token: number for number, token in enumerate(found["tokens"])}
    merges = [
        (found["scores"][number], token[:place], token[place:])
        for token, number in ids.items()
        if found["token_type"][number] == gguf.TokenType.NORMAL
        for place in range(1, len(token))
        if token[:place] in ids and token[place:] in ids
    ]
    merges.sort(key=lambda one: (one[0], len(one[1]), len(one[2])), reverse=True)
    return _whole(
        found,
        merges=[list(one[1:]) for one in merges],
        pre_tokenizer=None,
        normalizer=None,
        decoder=None,
        more={"byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True},
    )


def _whole(found: dict[str, Any], *, merges: list[Any], more: Any, **parts: Any) -> dict[str, Any]:
    kinds = found["token_type"]
    beside = (gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED)
    plain = (gguf.TokenType.NORMAL, gguf.TokenType.BYTE, gguf.TokenType.UNKNOWN)
    added = [
        {"id": number, "content": token, "special": kinds[number] == gguf.TokenType.CONTROL}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for number, token in enumerate(found["tokens"])
        if kinds[number] in beside
    ]
    kept = {token: number for number, token in enumerate(found["tokens"]) if kinds[number] in plain}
    kept |= {one["content"]: one["id"] for one in added if more.get("byte_fallback")}
    model = {"type": "BPE", "vocab": kept, "merges": merges, "unk_token": None, **more}
    return {
        "version": "1.0",
        "added_tokens": added,
        "post_processor": None,
        "model": model,
        **parts,
    }
