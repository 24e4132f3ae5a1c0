"""Slots of the KV cache: what each holds, the reply that is written there, shared prefixes."""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.domain.errors import EngineError
from backend.runner.delivery import Finished, Reply
from backend.runner.model import Context, Decoded, Model, Sampler
from backend.runner.openai_api import Finish, Usage

LARGEST_SEED = 0xFFFFFFFF  # itself it means "any" to llama.cpp
WORTH_WAITING_FOR = 32  # tokens that another prompt is about to put into the cache
WORTH_TAKING_OVER = 0.5  # share of a slot's tokens that a new prompt must reuse
KEPT_IDLE = 512  # tokens that idle slots may hold besides what they share with others


class PrefixCache:
    """The slots of a context, and one more sequence for a prefix that is pinned.

    `shares` is false for models whose memory cannot be cut or copied at any token (recurrent
    ones): there a slot only goes on with what it holds itself.
    """

    def __init__(self, context: Context, *, slots: int, shares: bool) -> None:
        self.slots = [Slot(sequence) for sequence in range(slots)]
        self._pinned = Slot(slots)
        self._context = context
        self._shares = shares

    def free(self) -> list[Slot]:
        """The slots in which nothing is written."""
        return [slot for slot in self.slots if not slot.writing]

    def choose(self, prompt: Sequence[int]) -> Slot:
        """The free slot for a prompt; there must be one.

        The one that holds most of it, if little else is lost by that; otherwise the one that was
        not used for longest, to which the common beginning is then copied.
        """
        free = self.free()
        best = max(free, key=lambda slot: slot.reusable(prompt))
        reusable = best.reusable(prompt)
        if reusable and reusable >= WORTH_TAKING_OVER * len(best.held):
            return best
        return min(free, key=lambda slot: (bool(slot.held), slot.last_used))

    def begin(self, slot: Slot) -> bool:
        """Let a slot hold what the cache has of its prompt.

        False if another slot is just reading a prompt that begins alike: waiting for it is
        cheaper than computing the same tokens beside it.
        """
        writing = slot.writing
        if not writing:
            return False
        prompt = writing.wanted
        sources = [*self.slots, self._pinned] if self._shares else [slot]
        source = max(sources, key=lambda source: source.reusable(prompt))
        count = source.reusable(prompt)
        if max(other.coming(prompt) for other in sources) - count >= WORTH_WAITING_FOR:
            return False
        if slot.reusable(prompt) == count:
            self.cut(slot, count)
        else:
            self._copy(source, slot, count)
        writing.begun, writing.cached = True, len(slot.held)
        return True

    def tidy(self) -> None:
        """Let idle slots hold little that only they hold, the least recently used the least.

        In a unified cache each token looks past what other sequences hold: 1,500 tokens that
        nobody needs make reading 6% and writing 5% slower on a 1B model.
        """
        others = [self._pinned, *(slot for slot in self.slots if slot.writing)]
        kept = 0
        for slot in sorted(self.free(), key=lambda slot: -slot.last_used):
            shared = max((common_prefix(slot.held, other.held) for other in others), default=0)
            if kept + len(slot.held) - shared > KEPT_IDLE:
                self.cut(slot, shared)
            kept += len(slot.held) - shared
            others.append(slot)

    def cut(self, slot: Slot, count: int) -> None:
        """Keep only the first tokens of a sequence; none if its memory cannot be cut there."""
        if self._context.forget(slot.sequence, keep=count):
            del slot.held[count:]
        else:
            self.clear(slot)

    def clear(self, slot: Slot) -> None:
        """Keep nothing of a sequence."""
        self._context.forget(slot.sequence)
        slot.held.clear()

    def clear_idle(self) -> bool:
        """Give up what idle slots hold; False if they hold nothing."""
        idle = [slot for slot in self.free() if slot.held]
        for slot in idle:
            self.clear(slot)
        return bool(idle)

    def feed(self, slot: Slot, tokens: Sequence[int]) -> int:
        """Put a sequence's next tokens into the batch; the place of the last one."""
        place, position = 0, len(slot.held)
        for token in tokens:
            place = self._context.add(token, position=position, sequence=slot.sequence)
            position += 1
        return place

    def pin(self, tokens: Sequence[int]) -> None:
        """Compute a prefix that prompts begin with and keep it for good. Raises EngineError."""
        pinned = self._pinned
        while missing := list(tokens[len(pinned.held) :][: self._context.free_places]):
            self.feed(pinned, missing)
            if self._context.decode() is not Decoded.DONE:
                raise EngineError("The prefix to keep warm cannot be computed.")
            pinned.held += missing

    def probe(self) -> None:
        """Compute one token for real, which also warms the memory. Raises EngineError."""
        self._context.want(self._context.add(0, position=0, sequence=0))
        if self._context.decode() is not Decoded.DONE:
            raise EngineError("The model loads but cannot compute a single token.")
        self._context.forget(0)

    def _copy(self, source: Slot, target: Slot, count: int) -> None:
        self._context.forget(target.sequence)
        self._context.copy(source.sequence, target.sequence, count=count)
        target.held = source.held[:count]


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


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    low, high = 0, min(len(first), len(second))
    if first[:high] == second[:high]:
        return high
    while high - low > 1:  # first[:low] is equal, first[:high] is not
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low


class GrowingText:
    """The text of one reply, out of the bytes of its tokens, given out piece by piece.

    Never half a character, never the beginning of a stop text that may still become whole.
    """

    def __init__(self, stops: tuple[str, ...] = (), *, drop_first_space: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stops = stops
        self._held = ""
        self._drop_first_space = drop_first_space
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """Add a token's bytes; the text that is now certain. Sets `stopped` at a stop text."""
        text = self._decoder.decode(piece)
        if not text:
            return ""
        if self._drop_first_space:
            self._drop_first_space = False
            text = text.removeprefix(" ")
        if not self._stops:
            return text
        self._held += text
        return self._release()

    def finish(self) -> str:
        """What was held back, once nothing more comes; half a character is dropped."""
        held, self._held = self._held, ""
        return held

    def _release(self) -> str:
        held = self._held
        found = [place for stop in self._stops if (place := held.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return held[: min(found)]
        keep = max(_overlap(held, stop) for stop in self._stops)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if stop.startswith(text[-n:])), 0)
