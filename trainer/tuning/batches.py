"""Examples become rows of token ids, varied anew in each epoch; rows become batches."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from backend.domain.chat_format import SEAM
from backend.domain.errors import UnusableModel
from backend.domain.example import Example, training_messages
from backend.domain.prompt import Message
from trainer.chat_format import ChatFormat, TokenizerChatFormat, finished_text, prompt_text
from trainer.tuning.settings import TrainingSettings

IGNORED = -100
_GROUPED_BATCHES = 16
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


@dataclass(frozen=True)
class TokenRow:
    """A tokenised example: ids, of which the model is to learn those from `answer_from` on."""

    ids: tuple[int, ...]
    answer_from: int

    @property
    def targets(self) -> int:
        """How many tokens the loss counts."""
        return len(self.ids) - max(self.answer_from, 1)


@dataclass(frozen=True)
class Batch:
    """Rows side by side, padded at the end: ids and labels of shape (rows, longest row)."""

    ids: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True)
class Fitting:
    """Rows of the examples that fit, and how many did not."""

    examples: tuple[Example, ...]
    rows: tuple[TokenRow, ...]
    too_long: int


def by_split(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """The examples of each split, in their order."""
    found: dict[str, list[Example]] = {"train": [], "validation": [], "golden": []}
    for example in examples:
        found[example.split].append(example)
    return found


def fitting(examples: Sequence[Example], tokenizer: Any, settings: TrainingSettings) -> Fitting:
    """Rows that are cut would teach to break off, so those too long are left out and counted."""
    pairs = [
        (example, example_row(example, tokenizer, budget=settings.prompt_tokens))
        for example in examples
    ]
    kept = [pair for pair in pairs if len(pair[1].ids) <= settings.row_tokens]
    return Fitting(
        tuple(example for example, _ in kept),
        tuple(made for _, made in kept),
        len(pairs) - len(kept),
    )


def epochs(
    training: Fitting, tokenizer: Any, settings: TrainingSettings
) -> Callable[[int], list[TokenRow]]:
    """The rows of each epoch: some reworded, some without their passages."""

    def rows(epoch: int) -> list[TokenRow]:
        made = []
        for example, plain in zip(training.examples, training.rows, strict=True):
            chance = random.Random(  # noqa: S311 - variety, not secrecy
                f"{settings.loop.seed}:{epoch}:{example.source}"
            )
            varied = _varied(example, settings, chance)
            if epoch < settings.opening_epochs:
                varied = replace(varied, passages=())
            kept = plain
            if varied != example:
                other = example_row(varied, tokenizer, budget=settings.prompt_tokens)
                kept = other if len(other.ids) <= settings.row_tokens else plain
            if epoch < settings.opening_epochs:
                kept = opening(kept, settings.opening_tokens)
            made.append(kept)
        return made

    return rows


def _varied(example: Example, settings: TrainingSettings, chance: random.Random) -> Example:
    if chance.random() < settings.wording_share:
        example = replace(example, question=reworded(example.question, chance))
    if chance.random() >= settings.passage_share:
        return replace(example, passages=())
    if settings.wording_share and chance.random() < settings.wording_share / 2:
        passages = list(example.passages)
        chance.shuffle(passages)
        return replace(example, passages=tuple(passages))
    return example


def example_row(example: Example, tokenizer: Any, *, budget: int) -> TokenRow:
    """The prompt as served, the answer and the end-of-turn token.

    Prompt and answer are tokenised so that the ids are those the model meets in serving, where
    the prompt ends before the answer is known. Raises UnusableModel if the tokenizer's chat
    template cannot express that.
    """
    return chat_row(training_messages(example, budget=budget), TokenizerChatFormat(tokenizer))


def chat_row(messages: Sequence[Message], chat_format: ChatFormat) -> TokenRow:
    """The row of a prompt's messages and the answer, which is the last one.

    Raises UnusableModel if the chat template cannot express it.
    """
    prompt = prompt_text(messages[:-1], chat_format)
    whole = finished_text(messages, chat_format)
    if not whole.startswith(prompt):
        raise UnusableModel(
            "The chat template writes a finished turn differently from one that is to be written, "
            "so prompt and answer cannot be told apart. Use another chat template."
        )
    first = chat_format.ids(prompt)
    ids = chat_format.ids(whole)
    if ids[: len(first)] != first:
        ids = first + _continued(whole[len(prompt) :], chat_format)
    return TokenRow(tuple(_to_end_of_turn(ids, len(first), chat_format.ends)), len(first))


def rendered(messages: Sequence[Message], tokenizer: Any) -> str:
    """The text of a prompt, up to where the answer begins."""
    return prompt_text(messages, TokenizerChatFormat(tokenizer)).replace(SEAM, "")


def opening(whole: TokenRow, tokens: int) -> TokenRow:
    """The row with only the first tokens of its answer.

    In these it is decided what the answer is about; where answers are much alike, the rest
    follows from them and drowns them in the mean loss. The model does not learn to break off,
    for there is no end token among the targets.
    """
    return TokenRow(whole.ids[: whole.answer_from + tokens], whole.answer_from)


def _continued(text: str, chat_format: ChatFormat) -> list[int]:
    """The tokens of a text in the middle of another, where none gets a space put in front."""
    mark, ids = chat_format.plain("\n"), []
    for piece in text.split(SEAM):
        behind = chat_format.plain("\n" + piece)
        ids += behind[len(mark) :] if behind[: len(mark)] == mark else chat_format.plain(piece)
    return ids


def _to_end_of_turn(ids: list[int], start: int, ends: frozenset[int]) -> list[int]:
    """The ids without what the template writes after the end of the turn, such as a line break."""
    place = next((place for place in range(start, len(ids)) if ids[place] in ends), None)
    if place is None:
        raise UnusableModel(
            "The chat template does not end an answer with the tokenizer's end token, so the model "
            "would never learn to stop. Set eos_token to the token that ends a turn."
        )
    return ids[: place + 1]


def batches(rows: Sequence[TokenRow], *, size: int, chance: random.Random) -> list[list[TokenRow]]:
    """All rows in shuffled batches; rows of one batch have about the same length.

    Rows are shuffled, then sorted within stretches of some batches: padding shrinks and the
    order still differs from epoch to epoch.
    """
    shuffled = list(rows)
    chance.shuffle(shuffled)
    stretch = size * _GROUPED_BATCHES
    made = []
    for start in range(0, len(shuffled), stretch):
        near = sorted(shuffled[start : start + stretch], key=lambda row: len(row.ids))
        made += [near[place : place + size] for place in range(0, len(near), size)]
    chance.shuffle(made)
    return made


def _rounded(tokens: int) -> int:
    """Up to a multiple of 16: for each new length oneDNN keeps kernels and their memory."""
    return -(-tokens // 16) * 16


def batch(rows: Sequence[TokenRow], *, padding: int = 0) -> Batch:
    """The rows as tensors. What pads stands at the end, where no token can attend to it."""
    longest = _rounded(max(len(row.ids) for row in rows))
    ids = torch.full((len(rows), longest), padding, dtype=torch.long)
    labels = torch.full((len(rows), longest), IGNORED, dtype=torch.long)
    for place, row in enumerate(rows):
        values = torch.tensor(row.ids, dtype=torch.long)
        ids[place, : len(values)] = values
        labels[place, row.answer_from : len(values)] = values[row.answer_from :]
    return Batch(ids, labels)


def reworded(question: str, chance: random.Random) -> str:
    """A variation of the question; at least some of its words stay, in their order.

    A help desk has few wordings for each problem. A model that sees them over and over learns the
    wording by heart instead of the problem, so each epoch shows another one: without the subject,
    without a sentence, in small letters, with words left out and letters swapped.
    """
    subject, blank, text = question.partition("\n\n")
    if not blank:
        subject, text = "", question
    if subject and chance.random() < 0.3:
        subject = ""
    elif subject and chance.random() < 0.15:
        subject, text = "", subject
    text = _with_sentences_left_out(text, chance)
    kept = "\n\n".join(part for part in (subject, text) if part)
    for change, share in _CHANGES:
        if chance.random() < share:
            kept = change(kept, chance)
    return kept if any(character.isalnum() for character in kept) else question


def _with_sentences_left_out(text: str, chance: random.Random) -> str:
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    if len(sentences) < 2 or chance.random() < 0.4:
        return text
    kept = [sentence for sentence in sentences if chance.random() < 0.7]
    if chance.random() < 0.2:
        chance.shuffle(kept)
    return " ".join(kept or [chance.choice(sentences)])


def _in_small_letters(text: str, chance: random.Random) -> str:
    return text.lower() if chance.random() < 0.8 else text.upper()


def _without_words(text: str, chance: random.Random) -> str:
    return " ".join(word for word in text.split(" ") if chance.random() > 0.12)


def _with_slips(text: str, chance: random.Random) -> str:
    return " ".join(
        _slip(word, chance) if len(word) > 3 and chance.random() < 0.06 else word
        for word in text.split(" ")
    )


def _slip(word: str, chance: random.Random) -> str:
    place = chance.randrange(len(word) - 1)
    before, pair, after = word[:place], word[place : place + 2], word[place + 2 :]
    return before + chance.choice((pair[::-1], pair[0], pair + pair[1])) + after


_CHANGES: tuple[tuple[Callable[[str, random.Random], str], float], ...] = (
    (_in_small_letters, 0.25),
    (_without_words, 0.4),
    (_with_slips, 0.4),
)
