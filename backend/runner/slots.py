"""Slots: the sequences of the KV cache, what each holds and what is written there."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.runner.context import Sampler
from backend.runner.model import Model
from backend.runner.plan import common_prefix
from backend.runner.reply import Finish, Finished, Reply, Usage
from backend.runner.text import GrowingText

LARGEST_SEED = 0xFFFFFFFF  # itself it means "any" to llama.cpp


@dataclass
class Writing:
    """The state of a reply in a slot: all its tokens so far, and how it goes on.

    `begun` once the slot holds the part of the prompt that some sequence had already.
    """

    reply: Reply
    wanted: list[int]
    sampler: Sampler
    text: GrowingText
    begun: bool = False
    cached: int = 0
    completion: int = 0

    def finished(self, reason: Finish) -> Finished:
        """The event that ends this reply."""
        usage = Usage(len(self.reply.prompt), self.cached, self.completion)
        return Finished(reason, usage)


@dataclass
class Slot:
    """One sequence of the cache: the tokens it holds, and the reply that is written there."""

    sequence: int
    held: list[int] = field(default_factory=list)
    writing: Writing | None = None
    last_used: int = 0

    @property
    def remaining(self) -> int:
        """Tokens still to be computed before the next one can be sampled; 0 when idle."""
        return len(self.writing.wanted) - len(self.held) if self.writing else 0

    def reusable(self, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt this sequence holds; the last one is always computed."""
        return min(common_prefix(self.held, prompt), len(prompt) - 1)

    def coming(self, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt it will hold once its own prompt is computed."""
        if not self.writing or not self.writing.begun:
            return 0
        return min(common_prefix(self.writing.reply.prompt, prompt), len(prompt) - 1)

    @property
    def background(self) -> bool:
        """Whether nobody is waiting for what is written here."""
        return self.writing is not None and self.writing.reply.background

    @property
    def arrived(self) -> float:
        """When the reply that is written here was asked for; 0 when idle."""
        return self.writing.reply.arrived if self.writing else 0.0

    def missing(self, count: int) -> Sequence[int]:
        """The next tokens to compute."""
        start = len(self.held)
        return self.writing.wanted[start : start + count] if self.writing else ()


def writing_of(reply: Reply, model: Model) -> Writing:
    """The state of a reply that is about to begin."""
    sampling = reply.sampling
    seed = secrets.randbits(31) if sampling.seed is None else sampling.seed % LARGEST_SEED
    return Writing(
        reply=reply,
        wanted=list(reply.prompt),
        sampler=Sampler(sampling, seed=seed, vocabulary_size=model.vocabulary_size),
        text=GrowingText(sampling.stop, drop_first_space=model.begins_with_space),
    )
