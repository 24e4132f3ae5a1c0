"""Compares a model in transformers with its GGUF in llama.cpp, token by token.

A converter that is a little wrong still writes fluent text, so looking at text proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from backend.domain.errors import UnusableModel
from backend.domain.example import Example
from backend.domain.prompt import render
from trainer.quantise import quiet
from trainer.rows import rendered

GREEDY_TOKENS = 50
QUESTIONS = (
    "How do I reset my password? The link does not arrive.",
    "Hello,\n\nmy invoice 1204 is wrong: it says 29.00 instead of 19.00. Can you send a new one?",
    "Добрий день! Не можу завантажити список контактів, що робити?",  # noqa: RUF001
    "it stopped working yesterday!!! please help",
)


@dataclass(frozen=True)
class Parity:
    """How far two forms of a model are apart. KL is the mean over all positions, in nats."""

    kl: float
    largest_difference: float
    same_top: float
    same_greedy: float
    positions: int


def prompts(model: Path, examples: Sequence[Example] = (), *, budget: int) -> list[str]:
    """Rendered prompts to compare on: of these examples, else of a few questions."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    rendering = [render(one.question, one.passages, budget=budget) for one in examples]
    rendering = rendering or [render(question, budget=budget) for question in QUESTIONS]
    return [rendered(one.messages, tokenizer) for one in rendering]


def parity(model: Path, gguf: Path, texts: Sequence[str]) -> Parity:
    """Runs the texts through both. Raises UnusableModel if they do not even tokenise alike."""
    quiet()
    tokenizer = AutoTokenizer.from_pretrained(model)
    reference = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    reference.eval()  # type: ignore[no-untyped-call,unused-ignore]
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    longest = max(len(one) for one in ids) + GREEDY_TOKENS
    other = llama_cpp.Llama(
        str(gguf), n_ctx=longest, logits_all=True, verbose=False, n_gpu_layers=0
    )
    try:
        _check_ids(other, texts, ids)
        pairs = [(_logits(reference, one), _llama_logits(other, one)) for one in ids]
        greedy = [_greedy(reference, one) == _llama_greedy(other, one) for one in ids]
    finally:
        other.close()
    return _measured(pairs, greedy)


def check(found: Parity, *, largest_kl: float, name: str) -> None:
    """Raises UnusableModel if the two forms of the model are too far apart."""
    if not found.kl <= largest_kl:
        raise UnusableModel(
            f"{name} does not compute what the model it was made from computes: KL {found.kl:.1e} "
            f"over {found.positions} tokens, where {largest_kl:.0e} is accepted. The export step "
            "is at fault; do not serve this file."
        )


def _check_ids(other: Any, texts: Sequence[str], ids: Sequence[list[int]]) -> None:
    for text, expected in zip(texts, ids, strict=True):
        if other.tokenize(text.encode(), add_bos=False, special=True) != expected:
            raise UnusableModel(
                f"llama.cpp splits this text into other tokens than the model: {text[:80]!r}. "
                "The vocabulary was not carried over exactly."
            )


def _logits(model: Any, ids: list[int]) -> Any:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double().numpy()


def _llama_logits(model: Any, ids: list[int]) -> Any:
    model.reset()
    model.eval(ids)
    return np.array(model.scores[: len(ids)], dtype=np.float64)


def _greedy(model: Any, ids: list[int]) -> list[int]:
    with torch.no_grad():
        whole = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=GREEDY_TOKENS,
            do_sample=False,
        )
    return [int(token) for token in whole[0, len(ids) :]]


def _llama_greedy(model: Any, ids: list[int]) -> list[int]:
    model.reset()
    model.eval(ids)
    written: list[int] = []
    while len(written) < GREEDY_TOKENS:
        written.append(int(np.argmax(model.scores[model.n_tokens - 1])))
        if written[-1] == model.token_eos():
            break
        model.eval(written[-1:])
    return written


def _measured(pairs: Sequence[tuple[Any, Any]], greedy: Sequence[bool]) -> Parity:
    first = np.concatenate([one for one, _ in pairs])
    second = np.concatenate([one for _, one in pairs])
    logs, others = _log_softmax(first), _log_softmax(second)
    divergences = (np.exp(logs) * (logs - others)).sum(axis=1)
    return Parity(
        kl=float(divergences.mean()),
        largest_difference=float(np.abs(first - second).max()),
        same_top=float((first.argmax(axis=1) == second.argmax(axis=1)).mean()),
        same_greedy=sum(greedy) / len(greedy),
        positions=len(first),
    )


def _log_softmax(logits: Any) -> Any:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
