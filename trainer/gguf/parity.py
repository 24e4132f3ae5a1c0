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
from trainer.chat_format import GgufChatFormat, TokenizerChatFormat, prompt_text, served_tokenizer
from trainer.gguf.families import read_config_file
from trainer.gguf.logits import Logits, opened
from trainer.gguf.quantise import ParityLimits
from trainer.tensor_files import TensorFolder

QUESTIONS = (
    "How do I reset my password? The link does not arrive.",
    "Hello,\n\nmy invoice 1204 is wrong: it says 29.00 instead of 19.00. Can you send a new one?",
    "Добрий день! Не можу завантажити список контактів, що робити?",  # noqa: RUF001
    "it stopped working yesterday!!! please help",
    "Cannot import contacts.csv\n\n1. I open Settings\n2. I choose Import\n3. ERROR 500",
    "Guten Tag, ich möchte meine Adresse ändern: Königstraße 12b, 04109 Leipzig.",
    "URGENT!!! The WHOLE TEAM is locked out since 09:15 :-(",
    "  Traceback (most recent call last):\n    File \"app.py\", line 3\n\tKeyError: 'id'",
    "Je n’ai pas reçu ma commande n° 45-7781… Pouvez-vous vérifier ?",  # noqa: RUF001
    "we've 3 users who'd like SSO; they're on the €49 plan, isn't it included?",
    "Здравствуйте, когда придёт возврат за заказ №88120?",
    "Where is https://help.example.com/a/b?c=1&d=2#top now? I get a 404.",
    "👋 hi!! love the app ❤️ but the dark mode is gone 😢🌙",
    "Ciao, la fattura dell'IVA è sbagliata: 22% di 1.250,00 € fa 275,00 €.",
    "请问怎样重置密码?我没有收到邮件。",
    "[NAME_1] wrote from [EMAIL_1] that order [ORDER_ID_1] came twice. Refund one?",
    "Zażółć gęślą jaźń – does your search find names with such letters, e.g. Łukasz?",  # noqa: RUF001
    "a\n\n\nb   c\t\td    e — many    spaces\r\nand a Windows line",
    "Could you tell me\n- the price per seat\n- the notice period\n- where data is kept?",
    "Merhaba, İstanbul'dan yazıyorum; ödeme 3. kez reddedildi (kod: 0x1F).",  # noqa: RUF001
)

_ROWS_AT_ONCE = 64
_LOGITS_SIDE_BY_SIDE = 10
"""Of one text: four of the reference and what lies beside them, or the same in llama.cpp."""

_LARGE = 1_000_000_000
"""Weights from which on a model is large."""


@dataclass(frozen=True)
class ComparisonSize:
    """How much is compared: so many prompts and so many tokens written after each."""

    prompts: int = len(QUESTIONS)
    tokens: int = 50


def usual_size(model: Path) -> ComparisonSize:
    """Less for large models, since each token takes a second or more on a CPU."""
    return (
        ComparisonSize()
        if TensorFolder(model).elements < _LARGE
        else ComparisonSize(prompts=4, tokens=16)
    )


@dataclass(frozen=True)
class Continuation:
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
    lost_lead: float = 0.0
    """Where the favourites differ: the most that the model prefers its own by; 0 is a tie."""

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
    chat_format = TokenizerChatFormat(served_tokenizer(model))
    rendering = [
        render(example.question, example.passages, budget=budget) for example in examples[:count]
    ]
    more = QUESTIONS[: count - len(rendering)]
    rendering += [render(question, budget=budget) for question in more]
    return [prompt_text(rendered.messages, chat_format) for rendered in rendering]


def continuations(
    gguf: Path, texts: Sequence[str], model: Path, *, tokens: int, lora: Path | None = None
) -> list[Continuation]:
    """What the GGUF writes after each text, taking the likeliest token each time.

    Raises UnfaithfulModel if it does not even split the texts as the model's own tokenizer does.
    """
    chat_format = TokenizerChatFormat(AutoTokenizer.from_pretrained(model))
    ids = [chat_format.ids(text) for text in texts]
    with opened(gguf, context=max(map(len, ids)) + tokens, lora=lora) as loaded:
        _check_ids(loaded, texts, ids)
        return [
            Continuation((*prompt, *_greedy(loaded, prompt, tokens)), prompt_tokens=len(prompt))
            for prompt in ids
        ]


def parity(
    gguf: Path,
    texts: Sequence[Continuation],
    reference: Iterable[Logits],
    *,
    lora: Path | None = None,
) -> Parity:
    """Compares the GGUF with the reference's logits for the same texts."""
    with opened(gguf, context=max(len(text.ids) for text in texts), lora=lora) as loaded:
        found = [
            compared(text, expected, _logits(loaded, text.ids))
            for text, expected in zip(texts, reference, strict=True)
        ]
    positions = sum(sums["positions"] for sums in found)
    counted = sum(sums["counted"] for sums in found)

    def total(name: str) -> float:
        return float(sum(sums[name] for sums in found))

    losses = total("reference_loss") / counted, total("loss") / counted
    return Parity(
        kl=total("kl") / positions,
        largest_difference=max(sums["largest"] for sums in found),
        same_top=total("same_top") / positions,
        same_greedy=total("same_greedy") / len(found),
        reference_loss=losses[0],
        loss=losses[1],
        perplexity_change=float(np.exp(losses[1] - losses[0]) - 1),
        prompts=len(found),
        positions=int(positions),
        lost_lead=max(sums["lost_lead"] for sums in found),
    )


def check(found: Parity, limits: ParityLimits, *, step: str) -> None:
    """Raises UnfaithfulModel, which names the step, if the two forms are too far apart."""
    if (
        found.kl <= limits.kl
        and abs(found.perplexity_change) <= limits.perplexity_change
        and found.same_top >= limits.same_top
    ):
        return
    raise UnfaithfulModel(
        f"The step {step!r} changed what the model computes. Over {found.positions} tokens: "
        f"KL {found.kl:.1e}, where {limits.kl:.0e} is accepted; perplexity "
        f"{found.perplexity_change:+.2%}, where {limits.perplexity_change:.1%} is; the same "
        f"favourite in {found.same_top:.1%}, where {limits.same_top:.0%} is asked. "
        "Do not serve its file."
    )


def memory_to_compare(model: Path, *, budget: int, size: ComparisonSize) -> int:
    """Bytes of logits that lie side by side while texts of this length are compared."""
    words = int(read_config_file(model).get("vocab_size", 0))
    return _LOGITS_SIDE_BY_SIDE * 4 * words * (budget + size.tokens)


def _check_ids(loaded: Any, texts: Sequence[str], ids: Sequence[list[int]]) -> None:
    chat_format = GgufChatFormat(loaded)
    for text, expected in zip(texts, ids, strict=True):
        if chat_format.ids(text) != expected:
            raise UnfaithfulModel(
                "The step 'vocabulary' changed the tokenizer: llama.cpp splits this text into "
                f"other tokens than transformers: {text[:80]!r}."
            )


def compared(text: Continuation, expected: Logits, got: Logits) -> dict[str, float]:
    """Sums over the text's positions; some rows at a time, for in float64 they take much room."""
    sums = dict.fromkeys(("kl", "same_top", "reference_loss", "loss"), 0.0)
    largest, lost_lead, same_greedy = 0.0, 0.0, True
    for start in range(0, len(expected), _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, len(expected)))
        ours, theirs = _log_softmax(expected[rows]), _log_softmax(got[rows])
        favourite, other = ours.argmax(axis=1), theirs.argmax(axis=1)
        sums["kl"] += float((np.exp(ours) * (ours - theirs)).sum())
        sums["same_top"] += float((favourite == other).sum())
        each = np.arange(len(ours))
        lost_lead = max(lost_lead, float((ours[each, favourite] - ours[each, other]).max()))
        largest = max(largest, float(np.abs(expected[rows] - got[rows]).max()))
        followed = np.array(text.ids[rows.start + 1 : rows.stop + 1], dtype=np.int64)
        read = max(0, min(text.prompt_tokens - 1 - start, len(followed)))
        sums["reference_loss"] -= float(ours[np.arange(read), followed[:read]].sum())
        sums["loss"] -= float(theirs[np.arange(read), followed[:read]].sum())
        for choice in (favourite, other):
            same_greedy &= bool((choice[read : len(followed)] == followed[read:]).all())
    counted = text.prompt_tokens - 1
    more = {"largest": largest, "lost_lead": lost_lead, "same_greedy": float(same_greedy)}
    return {**sums, **more, "positions": len(expected), "counted": counted}


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
    logits: Logits = loaded.scores[: len(ids)]
    return logits


def _log_softmax(logits: Logits) -> Any:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
