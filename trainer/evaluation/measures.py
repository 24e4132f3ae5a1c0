"""What is measured of an answer, each beside the answer that a person gave.

A measure is a value and a weight for each ticket; over several tickets it is the weighted mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.chrf import CHRF

from backend.domain.example import Example
from backend.intake.language import language_of
from backend.privacy import placeholders_in
from trainer.evaluation.answers import SubjectAnswer


@dataclass(frozen=True)
class Measured:
    """A value of one ticket, and how much it counts."""

    value: float
    weight: float = 1.0


class _Words:
    """Words of any script: the scorer's own sees only Latin letters."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


_CHRF = CHRF()
_ROUGE = RougeScorer(["rougeL"], tokenizer=_Words())
Measure = Callable[[Example, SubjectAnswer], Measured | None]


def _loss(example: Example, answer: SubjectAnswer) -> Measured | None:
    reply = answer.reply
    if reply.loss is None:
        return None
    return Measured(reply.loss / reply.loss_tokens, reply.loss_tokens)


def _chrf(example: Example, answer: SubjectAnswer) -> Measured:
    return Measured(_CHRF.sentence_score(answer.reply.text, [example.answer]).score)


def _rouge(example: Example, answer: SubjectAnswer) -> Measured:
    found = _ROUGE.score(example.answer, answer.reply.text)
    return Measured(100 * float(found["rougeL"].fmeasure))


def _length(example: Example, answer: SubjectAnswer) -> Measured:
    return Measured(len(answer.reply.text) / len(example.answer))


def _language(example: Example, answer: SubjectAnswer) -> Measured | None:
    wanted = example.language or language_of(example.question)
    got = language_of(answer.reply.text)
    return Measured(float(got == wanted)) if wanted else None


def _kept(example: Example, answer: SubjectAnswer) -> Measured | None:
    """Of the placeholders that the person took over from the ticket, how many it took over too."""
    wanted = set(placeholders_in(example.answer)) & set(placeholders_in(example.question))
    if not wanted:
        return None
    got = wanted & set(placeholders_in(answer.reply.text))
    return Measured(len(got) / len(wanted), len(wanted))


def _invented(example: Example, answer: SubjectAnswer) -> Measured:
    """Placeholders that stand for nothing, since the ticket has them not."""
    own = set(placeholders_in(answer.reply.text)) - set(placeholders_in(example.question))
    return Measured(len(own))


def _speed(example: Example, answer: SubjectAnswer) -> Measured | None:
    reply = answer.reply
    return Measured(reply.tokens / reply.seconds, reply.seconds) if reply.tokens else None


def _memory(example: Example, answer: SubjectAnswer) -> Measured | None:
    return Measured(answer.memory / 1e6)


MEASURES: Mapping[str, Measure] = {
    "loss": _loss,
    "chrF": _chrf,
    "ROUGE-L": _rouge,
    "length": _length,
    "language": _language,
    "placeholders kept": _kept,
    "placeholders invented": _invented,
    "tokens/s": _speed,
    "MB": _memory,
}
MEANINGS: Mapping[str, str] = {
    "loss": "nats for each token of the human answer, end token included; less is better",
    "chrF": "letters shared with the human answer, 0 to 100",
    "ROUGE-L": "longest common row of words with the human answer, 0 to 100",
    "length": "characters, of those of the human answer",
    "language": "share of answers in the ticket's language",
    "placeholders kept": "of those that the person took over from the ticket",
    "placeholders invented": "in one answer, standing for nothing in the ticket",
    "tokens/s": "written, reading the prompt included",
    "MB": "resident memory that loading and answering added",
}
PERPLEXITY_OF = "loss"
MACHINE = ("tokens/s", "MB")
"""Measures of the machine: no intervals, for tickets are not what they vary with."""
