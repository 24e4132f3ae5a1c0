"""What a tokenizer is made of, read once: tokens by number, their kinds, what it puts around."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
from transformers import AutoTokenizer


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer as transformers loads it, and its parts as plain values."""

    folder: Path
    tokenizer: Any
    parts: Mapping[str, Any]
    rows: int
    """Height of the embedding; rows without a token are padding."""

    @property
    def added(self) -> Mapping[int, Mapping[str, Any]]:
        """Tokens beside the vocabulary proper, by number."""
        return {one["id"]: one for one in self.parts.get("added_tokens", ())}

    def tokens(self) -> tuple[list[str], list[int]]:
        """The text of each row's token, and its kind in a GGUF."""
        by_id = {number: token for token, number in self.tokenizer.get_vocab().items()}
        texts = [by_id.get(number, f"[PAD{number}]") for number in range(self.rows)]
        return texts, [self._kind(number, by_id) for number in range(self.rows)]

    def _kind(self, number: int, by_id: Mapping[int, str]) -> int:
        if number not in by_id:
            return int(gguf.TokenType.UNUSED)
        if number not in self.added:
            return int(gguf.TokenType.NORMAL)
        special = self.added[number]["special"]
        return int(gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED)

    def ids(self, text: str) -> list[int]:
        """The numbers of a text's tokens, with nothing put around them."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def read_vocabulary(folder: Path, *, rows: int) -> Vocabulary:
    """The tokenizer of a model's folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Vocabulary(folder, tokenizer, json.loads(tokenizer.backend_tokenizer.to_str()), rows)


def add_special_tokens(writer: Any, vocabulary: Vocabulary) -> None:
    """Writes which tokens begin, end and pad, and which of them are put around each text."""
    tokenizer = vocabulary.tokenizer
    for name, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unk", writer.add_unk_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None:
            add(number)
    around = tokenizer("a")["input_ids"]
    writer.add_add_bos_token(around[0] == tokenizer.bos_token_id)
    writer.add_add_eos_token(around[-1] == tokenizer.eos_token_id)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
