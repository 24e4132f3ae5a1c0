"""Byte-level BPE: the vocabularies of GPT-2, GPT-J, Llama 3, Qwen and SmolLM.

They differ in how they split a text before they look for tokens. llama.cpp has these splits under
names; a split that is none of them cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backend.domain.errors import UnusableModel
from trainer.vocabularies.tokens import Vocabulary

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_CASED = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    ("ByteLevel",): "gpt-2",
    ("Digits", "ByteLevel"): "smollm",
    (_WORDS % "{1,3}",): "llama-bpe",
    (_WORDS % "",): "qwen2",
    (_CASED,): "tekken",
}
"""The steps of a split by llama.cpp's name for it."""


def is_byte_level(parts: Mapping[str, Any]) -> bool:
    """Whether this is a BPE over bytes written as letters."""
    kinds = [step.get("type") for step in _steps(parts)]
    return parts["model"]["type"] == "BPE" and "ByteLevel" in kinds


def add_byte_level(writer: Any, vocabulary: Vocabulary) -> None:
    """Writes tokens, merges and the name of the split. Raises UnusableModel for an unknown one."""
    parts = vocabulary.parts
    texts, kinds = vocabulary.tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split_name(parts))
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    writer.add_token_merges(
        [one if isinstance(one, str) else " ".join(one) for one in parts["model"]["merges"]]
    )


def split_name(parts: Mapping[str, Any]) -> str:
    """What llama.cpp calls the way in which this tokenizer splits a text."""
    steps = tuple(_step_name(step) for step in _steps(parts))
    if len(steps) > 1 and steps[-1] == "bytes":
        steps = steps[:-1]
    normal = (parts.get("normalizer") or {"type": "NFC"})["type"]
    if steps not in SPLITS or normal != "NFC":
        raise UnusableModel(
            "This tokenizer cannot be written as GGUF yet: it splits a text in a way that has no "
            f"name here ({', '.join(steps)}, {normal}). llama.cpp's own converter may know it: "
            "`export --converter PATH`."
        )
    return SPLITS[steps]


def _steps(parts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    split = parts.get("pre_tokenizer") or {"type": "nothing"}
    yield from split.get("pretokenizers", [split])


def _step_name(step: Mapping[str, Any]) -> str:
    if step["type"] == "ByteLevel" and not step.get("add_prefix_space"):
        return "ByteLevel" if step.get("use_regex", True) else "bytes"
    if step["type"] == "Split" and step.get("behavior") == "Isolated" and not step.get("invert"):
        return str(step["pattern"].get("Regex"))
    if step["type"] == "Digits" and step.get("individual_digits"):
        return "Digits"
    return f"another {step['type']}"
