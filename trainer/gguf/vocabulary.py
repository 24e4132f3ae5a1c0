"""Carries a tokenizer into a GGUF so that llama.cpp makes the same token ids of every text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
from transformers import AutoTokenizer

from backend.domain.errors import UnusableModel
from trainer.chat_format import SPACE, TokenizerChatFormat

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
"""How a byte-level tokenizer splits a text before it looks for tokens: llama.cpp's name for it."""
_NEVER_JOINED = -1e6


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
        return {token["id"]: token for token in self.parts.get("added_tokens", ())}

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


def add_vocabulary(writer: Any, model: Path, *, rows: int) -> None:
    """Writes tokens, special tokens and chat template of the tokenizer in a model's folder.

    `rows` is the height of the embedding. Raises UnusableModel for a tokenizer of another kind.
    """
    vocabulary = read_vocabulary(model, rows=rows)
    if is_byte_level(vocabulary.parts):
        add_byte_level(writer, vocabulary)
    elif is_sentence_piece(vocabulary.parts):
        add_sentence_piece(writer, vocabulary)
    else:
        raise UnusableModel(
            "This tokenizer cannot be written as GGUF yet: it is neither a byte-level BPE nor a "
            f"SentencePiece BPE but {vocabulary.parts['model']['type']}. llama.cpp's own "
            "converter may know it: `export --converter PATH`."
        )
    add_special_tokens(writer, vocabulary)


def read_vocabulary(folder: Path, *, rows: int) -> Vocabulary:
    """The tokenizer of a model's folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Vocabulary(folder, tokenizer, json.loads(tokenizer.backend_tokenizer.to_str()), rows)


def is_byte_level(parts: Mapping[str, Any]) -> bool:
    """Whether this is a BPE over bytes: GPT-2, GPT-J, Llama 3, Qwen, SmolLM."""
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
        [merge if isinstance(merge, str) else " ".join(merge) for merge in parts["model"]["merges"]]
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


def is_sentence_piece(parts: Mapping[str, Any]) -> bool:
    """Whether this is a SentencePiece BPE: Llama 1 and 2, Mistral, TinyLlama."""
    return parts["model"]["type"] == "BPE" and bool(parts["model"].get("byte_fallback"))


def add_sentence_piece(writer: Any, vocabulary: Vocabulary) -> None:
    """Writes pieces, scores and kinds."""
    texts, kinds = vocabulary.tokens()
    for place, text in enumerate(texts):
        if kinds[place] == gguf.TokenType.NORMAL and _is_byte(text):
            kinds[place] = int(gguf.TokenType.BYTE)
        elif text == vocabulary.tokenizer.unk_token:
            kinds[place] = int(gguf.TokenType.UNKNOWN)
    scores = scores_by_merges(vocabulary.parts["model"]["merges"], texts)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(
        [
            text.replace(SPACE, " ") if kind == gguf.TokenType.USER_DEFINED else text
            for text, kind in zip(texts, kinds, strict=True)
        ]
    )
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_add_space_prefix(TokenizerChatFormat(vocabulary.tokenizer).space_in_front)


def scores_by_merges(merges: list[Any], texts: list[str]) -> list[float]:
    """The score of each piece by the first merge that makes it; only their order counts.

    llama.cpp joins the two neighbours whose piece has the best score; transformers joins by a list
    of merges and keeps no scores. Those of `tokenizer.model` are not to be had where that file is
    lost, as transformers does not save it, and may order pieces in another way: read from
    LLaMA-2's file alone, transformers 5 joins spaces first and sentencepiece last. A converter
    that gives all pieces one score writes a file that splits nearly every text wrongly.

    Merges that make the same piece are neighbours in the list; llama.cpp then takes the one
    further left.
    """
    first: dict[str, int] = {}
    for place, merge in enumerate(merges):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        first.setdefault(left + right, place)
    return [
        -float(first[text]) if text in first else 0.0 if _is_byte(text) else _NEVER_JOINED
        for text in texts
    ]


def _is_byte(text: str) -> bool:
    return len(text) == 6 and text.startswith("<0x") and text.endswith(">")


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
