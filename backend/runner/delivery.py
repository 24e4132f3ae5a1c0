"""What is asked of the scheduler, and the events it gives out for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backend.domain.errors import ProductError
from backend.runner.openai_api import Finish, Sampling, Usage

BETWEEN_DELIVERIES = 0.04  # seconds


@dataclass(frozen=True)
class Piece:
    """Text that was added to the reply."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The reply is whole."""

    reason: Finish
    usage: Usage


@dataclass(frozen=True)
class Failed:
    """The reply cannot be written, or not further."""

    error: ProductError


Event = Piece | Finished | Failed
Sink = Callable[[Event], None]
Delivery = tuple[Sink, Event]
Publish = Callable[[Sequence[Delivery]], None]


@dataclass(eq=False)
class Reply:
    """A request the scheduler works on. `sink` gets its events; nothing more once cancelled."""

    prompt: Sequence[int]
    sampling: Sampling
    sink: Sink
    background: bool = False
    cancelled: bool = False
    arrived: float = field(default_factory=time.monotonic)


class PacedDelivery:
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
