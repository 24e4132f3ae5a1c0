"""SentencePiece: the vocabularies of Llama 1 and 2, Mistral and TinyLlama.

llama.cpp joins the two neighbours whose piece has the best score; transformers joins by a list of
merges and keeps no scores. So the scores are written by the order of the merges: a piece that is
made earlier scores higher. That is the tokenizer the model was tuned with, also where
`tokenizer.model` is lost, as transformers does not save it, or orders pieces in another way:
read from LLaMA-2's file alone, transformers 5 joins spaces first and sentencepiece last. A
converter that gives all pieces one score writes a file that splits nearly every text wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gguf

from trainer.dialect import SPACE, TokenizerDialect
from trainer.vocabularies.tokens import Vocabulary

_NEVER_JOINED = -1e6


def is_sentence_piece(parts: Mapping[str, Any]) -> bool:
    """Whether this is a SentencePiece BPE that writes unknown letters as bytes."""
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
    writer.add_add_space_prefix(TokenizerDialect(vocabulary.tokenizer).space_in_front)


def scores_by_merges(merges: list[Any], texts: list[str]) -> list[float]:
    """The score of each piece by the first merge that makes it; only their order counts.

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
