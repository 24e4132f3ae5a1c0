"""What the KV cache holds, by sequence, and how a new prompt gets what is there already."""

from __future__ import annotations

from collections.abc import Sequence

from backend.domain.errors import EngineError
from backend.runner.context import Context, Decoded
from backend.runner.plan import common_prefix
from backend.runner.slots import Slot

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
        while missing := list(tokens[len(pinned.held) :][: self._context.room]):
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
