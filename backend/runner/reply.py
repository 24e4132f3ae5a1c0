"""One reply on its way through the engine, and the events it gives out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from backend.domain.errors import ProductError
from backend.runner.sampling import Sampling

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Usage:
    """The tokens of one reply; `cached` of the prompt's were in the cache already."""

    prompt: int
    cached: int
    completion: int


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
    """A request the engine works on. `sink` gets its events; nothing more once cancelled."""

    prompt: Sequence[int]
    sampling: Sampling
    sink: Sink
    background: bool = False
    cancelled: bool = False
    arrived: float = field(default_factory=time.monotonic)
