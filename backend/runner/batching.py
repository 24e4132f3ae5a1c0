"""Continuous batching: one thread, one batch a step, replies join and leave between steps.

A step computes one token for each reply being written and a bounded chunk of the prompts that wait
to be read. There is only one kind of work: a slot has tokens it *wants* in the cache and tokens
the cache *holds*; whoever holds all it wants gets its next token. So a pass that was aborted, or a
cache that was lost, needs no repair: what is missing is computed again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.errors import EngineError, PromptTooLong, QueueFull, Unavailable
from backend.runner.delivery import Event, Failed, PacedDelivery, Piece, Publish, Reply
from backend.runner.metrics import Metrics
from backend.runner.model import Context, Decoded, Model
from backend.runner.openai_api import Finish
from backend.runner.slots import (
    PrefixCache,
    Slot,
    Writing,
    writing_of,
)
from backend.runner.thread_pace import ThreadPace

LONG_PASS = 32  # tokens; a shorter pass is over sooner than it pays to abort it
STEP_SECONDS = 0.6  # what a chunk of prompt may add to a step while others are writing
LEAST_CHUNK = 16
SHARE_OF_OLDEST = 4
ROWS = 16  # llama.cpp's matrix kernels take so many tokens at once; 16 are faster than 13
RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class BatchLimits:
    """Replies at once, tokens of each, tokens of one step, and how many replies may wait."""

    slots: int
    context: int
    batch: int
    queue: int


class BatchScheduler:
    """Writes replies with one model. `run` in its own thread; the rest from any other."""

    def __init__(
        self,
        model: Model,
        context: Context,
        *,
        limits: BatchLimits,
        threads: ThreadPace,
        metrics: Metrics,
        publish: Publish,
    ) -> None:
        self.model, self.limits = model, limits
        self.cache = PrefixCache(context, slots=limits.slots, shares=model.shares_prefixes)
        self._context, self._metrics = context, metrics
        self._delivery = PacedDelivery(publish)
        self._waiting = WaitingQueue(limits.queue)
        self._pace = ChunkPace(largest=limits.batch, target_seconds=STEP_SECONDS)
        self._threads, self._most_threads = threads, threads.most
        self._apply_threads()
        self._wake = threading.Event()
        self._stopping = False
        self._pass_tokens = 0
        self._steps = 0
        metrics.watch(waiting=self._waiting.__len__, busy=self._busy, slots=limits.slots)

    def submit(self, reply: Reply) -> None:
        """Let a reply be written. Raises PromptTooLong, QueueFull and, at the end, Unavailable."""
        if len(reply.prompt) >= self.limits.context:
            raise PromptTooLong(
                f"The prompt has {len(reply.prompt)} tokens, but a slot has room for "
                f"{self.limits.context} with the reply. Send a shorter prompt or set --context.",
                prompt_tokens=len(reply.prompt),
                context_tokens=self.limits.context,
            )
        if self._stopping:
            raise Unavailable("The runner is shutting down.")
        self._waiting.put(reply)
        self._wake.set()

    def cancel(self, reply: Reply) -> None:
        """Stop writing a reply; its slot is free before the next step."""
        reply.cancelled = True
        if self._pass_tokens >= LONG_PASS:
            self._context.abort.raise_()
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return soon; replies in flight fail."""
        self._stopping = True
        self._context.abort.raise_()
        self._wake.set()

    def use_threads(self, most: int) -> None:
        """Compute with at most so many threads from the next step on."""
        self._most_threads = most
        self._wake.set()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping:
            self._wake.clear()
            if not self._step():
                self._wake.wait()
        failure = Failed(Unavailable("The runner is shutting down."))
        for slot in self.cache.slots:
            self._leave(slot, failure)
        while reply := self._waiting.take(background=True):
            self._delivery.put(reply, failure)
        self._delivery.deliver()

    def _step(self) -> bool:
        """One pass of the model; False if there is nothing to compute."""
        self._context.abort.lower()
        if self._stopping:
            return False
        self._steps += 1
        if self._threads.most != self._most_threads:
            self._threads.allow(self._most_threads)
            self._apply_threads()
        self._drop_cancelled()
        self._admit()
        fed = self._fill()
        if fed:
            self._compute(fed)
        self._delivery.deliver()
        return bool(fed)

    def _drop_cancelled(self) -> None:
        self._waiting.drop_cancelled()
        for slot in self.cache.slots:
            if slot.writing and slot.writing.reply.cancelled:
                self._leave(slot, None)

    def _admit(self) -> None:
        """Give free slots to waiting replies; the background may not take the last one."""
        while free := len(self.cache.free()):
            reply = self._waiting.take(background=free > 1 or self.limits.slots == 1)
            if not reply:
                break
            self.cache.choose(reply.prompt).writing = writing_of(reply, self.model)
        for slot in self.cache.slots:
            if slot.writing and not slot.writing.begun and self.cache.begin(slot):
                self._metrics.prompt_tokens.inc(len(slot.writing.reply.prompt))
                self._metrics.cached_tokens.inc(slot.writing.cached)

    def _fill(self) -> list[BatchPart]:
        """Put one step's tokens into the batch: one for each reply being written, then prompts."""
        begun = [slot for slot in self.cache.slots if slot.writing and slot.writing.begun]
        fed = [self._feed(slot, 1) for slot in begun if slot.remaining == 1]
        budget = min(self._context.free_places, self._pace.chunk(writing=bool(fed)))
        budget = whole_rows(budget, beside=len(fed))
        for background in (False, True):
            prompts = [
                slot for slot in begun if slot.remaining > 1 and slot.background is background
            ]
            prompts.sort(key=lambda slot: slot.arrived)
            shares = share(budget, [slot.remaining for slot in prompts])
            fed += [
                self._feed(slot, count)
                for slot, count in zip(prompts, shares, strict=True)
                if count
            ]
            budget -= sum(shares)
        return fed

    def _feed(self, slot: Slot, count: int) -> BatchPart:
        tokens = slot.missing(count)
        place = self.cache.feed(slot, tokens)
        if count == slot.remaining:
            self._context.want(place)
        return BatchPart(slot, tokens, place)

    def _compute(self, fed: list[BatchPart]) -> None:
        tokens = sum(len(part.tokens) for part in fed)
        started = time.monotonic()
        self._pass_tokens = tokens
        decoded = self._context.decode()
        self._pass_tokens = 0
        if decoded is not Decoded.DONE:
            return self._recover(decoded, fed)
        seconds = time.monotonic() - started
        self._metrics.step.observe(seconds)
        self._pace.observe(tokens, seconds)
        if self._threads.observe(seconds):
            self._apply_threads()
        for part in fed:
            part.slot.held += part.tokens
            if part.slot.writing and not part.slot.remaining:
                self._advance(part.slot, part.slot.writing, part.place)
        return None

    def _advance(self, slot: Slot, writing: Writing, place: int) -> None:
        """Choose the next token of a reply and give out the text it makes certain."""
        token = self._context.sample(writing.sampler, place)
        writing.completion += 1
        self._metrics.completion_tokens.inc()
        if writing.completion == 1:
            self._metrics.first_token.observe(time.monotonic() - writing.reply.arrived)
        if token in self.model.end_tokens:
            return self._finish(slot, writing, "stop")
        if text := writing.text.feed(self.model.piece(token)):
            self._delivery.put(writing.reply, Piece(text), urgent=writing.completion == 1)
        if writing.text.stopped:
            return self._finish(slot, writing, "stop")
        if (
            writing.completion >= writing.reply.sampling.max_tokens
            or len(writing.wanted) + 1 >= self.limits.context
        ):
            return self._finish(slot, writing, "length")
        writing.wanted.append(token)
        return None

    def _finish(self, slot: Slot, writing: Writing, reason: Finish) -> None:
        if text := writing.text.finish():
            self._delivery.put(writing.reply, Piece(text))
        self._leave(slot, writing.finished(reason))

    def _recover(self, decoded: Decoded, fed: list[BatchPart]) -> None:
        """After a pass that failed: cut the cache to what is known to be in it, and go on."""
        for part in fed:
            self.cache.cut(part.slot, len(part.slot.held))
        if decoded is Decoded.ABORTED or (decoded is Decoded.NO_ROOM and self.cache.clear_idle()):
            return
        error = EngineError("The model could not compute this reply. Try again.")
        for part in fed:
            self._leave(part.slot, Failed(error))
            self.cache.clear(part.slot)

    def _leave(self, slot: Slot, event: Event | None) -> None:
        """Free a slot; the prompt it holds stays for the next that begins alike."""
        if not slot.writing:
            return
        if event:
            self._delivery.put(slot.writing.reply, event)
        prompt_tokens = len(slot.writing.reply.prompt)
        slot.writing.sampler.close()
        slot.writing = None
        slot.last_used = self._steps
        self.cache.cut(slot, min(prompt_tokens, len(slot.held)))
        self.cache.tidy()

    def _apply_threads(self) -> None:
        self._context.use_threads(self._threads.threads)
        self._metrics.threads.set(self._threads.threads)
        self._metrics.most_threads.set(self._threads.most)

    def _busy(self) -> float:
        return sum(slot.writing is not None for slot in self.cache.slots)


@dataclass(frozen=True)
class BatchPart:
    """Tokens of one slot in the batch, and the place of the last."""

    slot: Slot
    tokens: Sequence[int]
    place: int


class WaitingQueue:
    """First come, first served, in two queues. One thread puts in, another takes out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waitings: tuple[deque[Reply], deque[Reply]] = (deque(), deque())

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._waitings)

    def put(self, reply: Reply) -> None:
        """Add a reply at the end of its queue. Raises QueueFull; the background may fill half."""
        limit = max(1, self._limit // 2) if reply.background else self._limit
        if len(self) >= limit:
            raise QueueFull(
                f"{len(self)} requests wait already. Try again in {RETRY_AFTER_SECONDS} seconds.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self._waitings[reply.background].append(reply)

    def take(self, *, background: bool) -> Reply | None:
        """The next reply that is still wanted, from the background only if it may be."""
        for queue in self._waitings if background else self._waitings[:1]:
            while queue:
                reply = queue.popleft()
                if not reply.cancelled:
                    return reply
        return None

    def drop_cancelled(self) -> None:
        """Make room where nobody waits any more."""
        for queue in self._waitings:
            for reply in list(queue):  # a copy: the other thread may put in meanwhile
                if reply.cancelled:
                    queue.remove(reply)


def share(budget: int, remaining: Sequence[int]) -> list[int]:
    """How many prompt tokens each prompt may feed in this step; `remaining` is oldest first.

    The shortest go first, since they can then begin to write soonest; the oldest has a quarter
    for certain, so that a stream of short prompts cannot starve a long one.
    """
    shares = [0] * len(remaining)
    if not remaining:
        return shares
    shares[0] = min(remaining[0], -(-budget // SHARE_OF_OLDEST))
    budget -= shares[0]
    for index in sorted(range(len(remaining)), key=lambda index: remaining[index]):
        more = min(budget, remaining[index] - shares[index])
        shares[index] += more
        budget -= more
    return shares


def whole_rows(budget: int, *, beside: int) -> int:
    """At most so many prompt tokens that a batch with `beside` others is full rows of a kernel.

    What is left over costs up to three times as much for each token.
    """
    whole = (budget + beside) // ROWS * ROWS - beside
    return whole if whole > 0 else budget


class ChunkPace:
    """How many prompt tokens a step may hold so that replies being written do not stall."""

    def __init__(self, *, largest: int, target_seconds: float) -> None:
        self._largest = largest
        self._target_seconds = target_seconds
        self._seconds_per_token = 0.0

    def observe(self, tokens: int, seconds: float) -> None:
        """Note how long a step with this many tokens took; short steps say little."""
        if tokens < LEAST_CHUNK:
            return
        now = seconds / tokens
        known = self._seconds_per_token
        self._seconds_per_token = now if not known else 0.7 * known + 0.3 * now

    def chunk(self, *, writing: bool) -> int:
        """The most prompt tokens for the next step: all that fit if nobody is writing."""
        if not writing or not self._seconds_per_token:
            return self._largest
        fitting = int(self._target_seconds / self._seconds_per_token)
        return max(LEAST_CHUNK, min(self._largest, fitting))
