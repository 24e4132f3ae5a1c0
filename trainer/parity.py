"""Compares a model in transformers with its GGUF in llama.cpp, token by token.

A converter that is a little wrong still writes fluent text, so looking at text proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from backend.domain.errors import UnfaithfulModel
from backend.domain.example import Example
from backend.domain.prompt import render
from trainer.chat import served_tokenizer
from trainer.dialect import TokenizerDialect, prompt_text
from trainer.gguf_dialect import GgufDialect
from trainer.gguf_loading import opened
from trainer.questions import QUESTIONS
from trainer.reference import Logits
from trainer.tensor_files import TensorFolder

_LARGE = 1_000_000_000
"""Weights from which on a model is large."""


@dataclass(frozen=True)
class Extent:
    """How much is compared: so many prompts and so many tokens written after each."""

    prompts: int = len(QUESTIONS)
    tokens: int = 50


def usual_extent(model: Path) -> Extent:
    """Less for large models, since each token takes a second or more on a CPU."""
    return Extent() if TensorFolder(model).elements < _LARGE else Extent(prompts=4, tokens=16)


@dataclass(frozen=True)
class Written:
    """A prompt and what the float16 GGUF wrote after it, as token ids."""

    ids: tuple[int, ...]
    prompt_tokens: int


@dataclass(frozen=True)
class Parity:
    """How far two forms of a model are apart, over all positions. KL and losses are in nats."""

    kl: float
    largest_difference: float
    same_top: float
    same_greedy: float
    """Share of the prompts after which both write the same text, taking the likeliest token."""
    reference_loss: float
    """Mean over the tokens of the prompts, in the model that the GGUF was made from."""
    loss: float
    perplexity_change: float
    prompts: int
    positions: int

    def to_metrics(self) -> dict[str, float]:
        """The figures with three digits, for a card."""
        return {
            key: float(f"{value:.3g}") if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def prompts(
    model: Path, examples: Sequence[Example] = (), *, budget: int, count: int = len(QUESTIONS)
) -> list[str]:
    """Rendered prompts to compare on: of these examples first, then of varied questions."""
    dialect = TokenizerDialect(served_tokenizer(model))
    rendering = [render(one.question, one.passages, budget=budget) for one in examples[:count]]
    more = QUESTIONS[: count - len(rendering)]
    rendering += [render(question, budget=budget) for question in more]
    return [prompt_text(one.messages, dialect) for one in rendering]


def written(
    gguf: Path, texts: Sequence[str], model: Path, *, tokens: int, lora: Path | None = None
) -> list[Written]:
    """What the GGUF writes after each text, taking the likeliest token each time.

    Raises UnfaithfulModel if it does not even split the texts as the model's own tokenizer does.
    """
    dialect = TokenizerDialect(AutoTokenizer.from_pretrained(model))
    ids = [dialect.ids(text) for text in texts]
    with opened(gguf, context=max(map(len, ids)) + tokens, lora=lora) as loaded:
        _check_ids(loaded, texts, ids)
        return [
            Written((*one, *_greedy(loaded, one, tokens)), prompt_tokens=len(one)) for one in ids
        ]


def parity(
    gguf: Path, texts: Sequence[Written], reference: Iterable[Logits], *, lora: Path | None = None
) -> Parity:
    """Compares the GGUF with the reference's logits for the same texts."""
    with opened(gguf, context=max(len(one.ids) for one in texts), lora=lora) as loaded:
        found = [
            _compared(one, expected, _logits(loaded, one.ids))
            for one, expected in zip(texts, reference, strict=True)
        ]
    positions = sum(one["positions"] for one in found)
    counted = sum(one["counted"] for one in found)

    def total(name: str) -> float:
        return float(sum(one[name] for one in found))

    losses = total("reference_loss") / counted, total("loss") / counted
    return Parity(
        kl=total("kl") / positions,
        largest_difference=max(one["largest"] for one in found),
        same_top=total("same_top") / positions,
        same_greedy=total("same_greedy") / len(found),
        reference_loss=losses[0],
        loss=losses[1],
        perplexity_change=float(np.exp(losses[1] - losses[0]) - 1),
        prompts=len(found),
        positions=int(positions),
    )


def check(found: Parity, *, largest_kl: float, step: str) -> None:
    """Raises UnfaithfulModel, which names the step, if the two forms are too far apart."""
    if not found.kl <= largest_kl:
        raise UnfaithfulModel(
            f"The step {step!r} changed what the model computes: KL {found.kl:.1e} over "
            f"{found.positions} tokens, where {largest_kl:.0e} is accepted. Do not serve its file."
        )


def _check_ids(loaded: Any, texts: Sequence[str], ids: Sequence[list[int]]) -> None:
    dialect = GgufDialect(loaded)
    for text, expected in zip(texts, ids, strict=True):
        if dialect.ids(text) != expected:
            raise UnfaithfulModel(
                "The step 'vocabulary' changed the tokenizer: llama.cpp splits this text into "
                f"other tokens than transformers: {text[:80]!r}."
            )


def _compared(text: Written, expected: Logits, got: Logits) -> dict[str, float]:
    ours, theirs = _log_softmax(expected), _log_softmax(got)
    favourite, other = expected.argmax(axis=1), got.argmax(axis=1)
    answer = slice(text.prompt_tokens - 1, -1)
    followed = np.array(text.ids[text.prompt_tokens :])
    places, following = (
        np.arange(text.prompt_tokens - 1),
        np.array(text.ids[1 : text.prompt_tokens]),
    )
    return {
        "kl": float((np.exp(ours) * (ours - theirs)).sum()),
        "largest": float(np.abs(expected - got).max()),
        "same_top": float((favourite == other).sum()),
        "same_greedy": float(
            (favourite[answer] == followed).all() and (other[answer] == followed).all()
        ),
        "reference_loss": -float(ours[places, following].sum()),
        "loss": -float(theirs[places, following].sum()),
        "positions": len(expected),
        "counted": len(following),
    }


def _greedy(loaded: Any, ids: list[int], tokens: int) -> list[int]:
    loaded.reset()
    loaded.eval(ids)
    found: list[int] = []
    while len(found) < tokens:
        found.append(int(np.argmax(loaded.scores[loaded.n_tokens - 1])))
        if found[-1] == loaded.token_eos():
            break
        loaded.eval(found[-1:])
    return found


def _logits(loaded: Any, ids: Sequence[int]) -> Logits:
    loaded.reset()
    loaded.eval(list(ids))
    return np.array(loaded.scores[: len(ids)], dtype=np.float32)


def _log_softmax(logits: Logits) -> Any:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
