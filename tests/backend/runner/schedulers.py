"""A model without HTTP: replies asked of batch schedulers that run in threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from backend.runner.batching import BatchLimits, BatchScheduler
from backend.runner.delivery import Delivery, Event, Failed, Finished, Piece, Reply
from backend.runner.metrics import Metrics
from backend.runner.model import Context, Model
from backend.runner.openai_api import Sampling
from backend.runner.thread_pace import ThreadPace

SECONDS = 10.0


class Asked:
    """A reply and the events that came of it."""

    def __init__(self, text: str, *, tokens: int = 12, background: bool = False) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.reply = Reply(
            prompt=[ord(letter) + 5 for letter in text],
            sampling=Sampling(max_tokens=tokens, temperature=0),
            sink=self.events.put,
            background=background,
        )

    def end(self) -> tuple[str, Finished | Failed]:
        """Wait for the last event; the text before it."""
        text = ""
        while isinstance(event := self.events.get(timeout=SECONDS), Piece):
            text += event.text
        return text, event

    def text(self) -> str:
        """The text of a reply that ended well."""
        text, event = self.end()
        assert isinstance(event, Finished)
        return text

    def cached(self) -> int:
        """How many prompt tokens were in the cache."""
        _, event = self.end()
        assert isinstance(event, Finished)
        return event.usage.cached


def publish(deliveries: Sequence[Delivery]) -> None:
    for sink, event in deliveries:
        sink(event)


class Schedulers:
    """Schedulers that run in threads until the test ends."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._running: list[tuple[BatchScheduler, threading.Thread | None, Context]] = []

    def start(
        self, *, slots: int = 2, cells: int = 1024, queue: int = 9, run: bool = True
    ) -> BatchScheduler:
        """A new scheduler; with `run`, it works at once."""
        context = Context(self.model, sequences=slots + 1, cells=cells, batch=64, threads=1)
        limits = BatchLimits(slots=slots, context=512, batch=64, queue=queue)
        scheduler = BatchScheduler(
            self.model,
            context,
            limits=limits,
            threads=ThreadPace(1),
            metrics=Metrics(),
            publish=publish,
        )
        thread = threading.Thread(target=scheduler.run) if run else None
        if thread:
            thread.start()
        self._running.append((scheduler, thread, context))
        return scheduler

    def close(self) -> None:
        """End all schedulers and free their memory."""
        for scheduler, thread, context in self._running:
            scheduler.stop()
            if thread:
                thread.join(SECONDS)
            context.close()


def ask(scheduler: BatchScheduler, *asked: Asked) -> None:
    for each in asked:
        scheduler.submit(each.reply)


def alone(schedulers: Schedulers, text: str, tokens: int = 12) -> str:
    """The text that a scheduler writes which does nothing else."""
    asked = Asked(text, tokens=tokens)
    ask(schedulers.start(), asked)
    return asked.text()
