"""Carries a tokenizer into a GGUF so that llama.cpp makes the same token ids of every text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.domain.errors import UnusableModel
from trainer.vocabularies.byte_level import add_byte_level, is_byte_level
from trainer.vocabularies.sentence_piece import add_sentence_piece, is_sentence_piece
from trainer.vocabularies.tokens import add_special_tokens, read_vocabulary


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
