"""Events on their way from the engine's thread to whoever passes them on."""

from __future__ import annotations

import time

from backend.runner.reply import Delivery, Event, Piece, Publish, Reply

BETWEEN_DELIVERIES = 0.04  # seconds


class Outbox:
    """Gives out first tokens and ends at once, other text only some 25 times a second.

    Nobody reads faster, and whoever passes text on computes on the cores that write it.
    """

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._waiting: list[Delivery] = []
        self._urgent = False
        self._delivered = 0.0

    def put(self, reply: Reply, event: Event, *, urgent: bool = False) -> None:
        """Add an event, unless its reply was given up."""
        if not reply.cancelled:
            self._waiting.append((reply.sink, event))
            self._urgent = self._urgent or urgent or not isinstance(event, Piece)

    def deliver(self) -> None:
        """Give out what waits, if it is time."""
        now = time.monotonic()
        if self._waiting and (self._urgent or now - self._delivered >= BETWEEN_DELIVERIES):
            self._publish(self._waiting)
            self._waiting, self._urgent, self._delivered = [], False, now
