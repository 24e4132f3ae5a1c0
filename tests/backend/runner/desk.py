"""Engines without HTTP: replies asked of a batching engine that runs in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from backend.runner.batching import Engine, Shape
from backend.runner.delivery import Delivery, Event, Failed, Finished, Piece, Reply
from backend.runner.metrics import Metrics
from backend.runner.model import Context, Model
from backend.runner.openai_api import Sampling

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


class Desk:
    """Engines that run in threads until the test ends."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._running: list[tuple[Engine, threading.Thread | None, Context]] = []

    def engine(
        self, *, slots: int = 2, cells: int = 1024, queue: int = 9, run: bool = True
    ) -> Engine:
        """A new engine; with `run`, it works at once."""
        context = Context(self.model, sequences=slots + 1, cells=cells, batch=64, threads=1)
        shape = Shape(slots=slots, context=512, batch=64, queue=queue)
        engine = Engine(self.model, context, shape=shape, metrics=Metrics(), publish=publish)
        thread = threading.Thread(target=engine.run) if run else None
        if thread:
            thread.start()
        self._running.append((engine, thread, context))
        return engine

    def close(self) -> None:
        """End all engines and free their memory."""
        for engine, thread, context in self._running:
            engine.stop()
            if thread:
                thread.join(SECONDS)
            context.close()


def ask(engine: Engine, *asked: Asked) -> None:
    for one in asked:
        engine.submit(one.reply)


def alone(desk: Desk, text: str, tokens: int = 12) -> str:
    """The text an engine writes that does nothing else."""
    asked = Asked(text, tokens=tokens)
    ask(desk.engine(), asked)
    return asked.text()
