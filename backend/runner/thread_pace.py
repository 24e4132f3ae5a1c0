"""How many threads compute, given how crowded the machine is.

llama.cpp's threads meet some 700 times a token and spin while they wait for each other. Alone on
a machine that is fastest. Beside other busy processes a thread that has no core just then keeps
all others spinning: three runners with 2 threads each on 2 cores, which is how three candidates
are written, make 6 tokens a second each; with 1 thread each, 18. So threads are given up while
they have to wait for a core, and taken back once it is calm.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TASKS = Path("/proc/self/task")
WINDOW_SECONDS = 0.2  # of computing, between two decisions
CROWDED, CALM = 0.12, 0.03  # share of a thread's time that it waited for a core
LEAST_PATIENCE, MOST_PATIENCE = 0.4, 10.0  # seconds of calm before a thread is taken back


def seconds_without_core(tasks: Path = TASKS) -> float:
    """How long this process's threads, but for the main one, were ready to run and did not.

    From Linux's scheduler statistics; 0 where there are none, and then no thread is given up.
    """
    nanoseconds = 0
    main = str(os.getpid())
    with suppress(OSError):
        for task in os.listdir(tasks):  # noqa: PTH208 - four times as fast, and often called
            if task != main:
                nanoseconds += _waited(tasks, task)
    return nanoseconds / 1e9


def _waited(tasks: Path, task: str) -> int:
    try:
        with open(f"{tasks}/{task}/schedstat", "rb") as file:  # noqa: PTH123 - as above
            return int(file.read().split()[1])
    except (OSError, IndexError):  # the thread has just ended
        return 0


class ThreadPace:
    """The number of threads for the next step."""

    def __init__(self, most: int, *, waited: Callable[[], float] = seconds_without_core) -> None:
        self._waited = waited
        self.allow(most)

    def allow(self, most: int) -> None:
        """From now on use up to so many, and begin with all of them: a crowd shows soon."""
        self.threads = self.most = most
        self._before = self._waited()
        self._computed = self._calm = 0.0
        self._since_raised = MOST_PATIENCE
        self._patience = LEAST_PATIENCE

    def observe(self, seconds: float) -> bool:
        """Note that a step has computed for so long; whether the number of threads changes."""
        self._computed += seconds
        if self._computed < WINDOW_SECONDS or self.most == 1:
            return False
        now = self._waited()
        share = max(0.0, now - self._before) / self._computed / self.threads
        before = self.threads
        self._decide(share, self._computed)
        self._before, self._computed = now, 0.0
        return self.threads != before

    def _decide(self, share: float, seconds: float) -> None:
        self._since_raised += seconds
        self._calm = self._calm + seconds if share < CALM else 0.0
        if share > CROWDED and self.threads > 1:
            if self._since_raised < 2 * self._patience:
                self._patience = min(MOST_PATIENCE, 2 * self._patience)
            else:
                self._patience = LEAST_PATIENCE
            self.threads -= 1
        elif self._calm >= self._patience and self.threads < self.most:
            self.threads += 1
            self._calm = self._since_raised = 0.0
