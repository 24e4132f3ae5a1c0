"""The replies that wait for a slot: bounded, and those of people before those of the background."""

from __future__ import annotations

from collections import deque

from backend.domain.errors import QueueFull
from backend.runner.reply import Reply

RETRY_AFTER_SECONDS = 5


class WaitingLine:
    """First come, first served, in two lines. One thread puts in, another takes out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: tuple[deque[Reply], deque[Reply]] = (deque(), deque())

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines)

    def put(self, reply: Reply) -> None:
        """Add a reply at the end of its line. Raises QueueFull; the background may fill half."""
        limit = max(1, self._limit // 2) if reply.background else self._limit
        if len(self) >= limit:
            raise QueueFull(
                f"{len(self)} requests wait already. Try again in {RETRY_AFTER_SECONDS} seconds.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self._lines[reply.background].append(reply)

    def take(self, *, background: bool) -> Reply | None:
        """The next reply that is still wanted, from the background only if it may be."""
        for line in self._lines if background else self._lines[:1]:
            while line:
                reply = line.popleft()
                if not reply.cancelled:
                    return reply
        return None

    def drop_cancelled(self) -> None:
        """Make room where nobody waits any more."""
        for line in self._lines:
            for reply in list(line):  # a copy: the other thread may put in meanwhile
                if reply.cancelled:
                    line.remove(reply)
