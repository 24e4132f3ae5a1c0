"""How many threads compute beside other busy processes."""

from __future__ import annotations

import threading
import time

from backend.runner.thread_pace import ThreadPace, seconds_without_core


class Machine:
    """Threads that wait for a core as much as they are told."""

    def __init__(self) -> None:
        self.waited = 0.0

    def compute(self, pace: ThreadPace, *, crowded: bool, seconds: float) -> list[int]:
        """The threads of each step of 0.1 s."""
        seen = []
        for _ in range(round(seconds / 0.1)):
            self.waited += 0.1 * pace.threads * (0.4 if crowded else 0.01)
            pace.observe(0.1)
            seen.append(pace.threads)
        return seen


def test_threads_are_given_up_at_once_where_it_is_crowded_and_taken_back_when_it_is_calm() -> None:
    machine = Machine()
    pace = ThreadPace(2, waited=lambda: machine.waited)

    assert machine.compute(pace, crowded=False, seconds=1) == [2] * 10
    assert machine.compute(pace, crowded=True, seconds=1) == [2, *[1] * 9]
    assert machine.compute(pace, crowded=False, seconds=1)[-1] == 2


def test_whoever_finds_it_crowded_again_waits_longer_each_time() -> None:
    machine = Machine()
    pace = ThreadPace(2, waited=lambda: machine.waited)
    changes = 0

    for _ in range(400):  # calm with 1 thread, crowded with 2
        before = pace.threads
        machine.compute(pace, crowded=pace.threads == 2, seconds=0.1)
        changes += pace.threads != before

    assert pace.threads == 1
    assert changes < 20


def test_one_thread_always_stays() -> None:
    machine = Machine()
    pace = ThreadPace(1, waited=lambda: machine.waited)

    assert set(machine.compute(pace, crowded=True, seconds=2)) == {1}


def test_waiting_for_a_core_is_measured() -> None:
    before = seconds_without_core()
    ends = time.monotonic() + 0.05

    def spin() -> None:
        while time.monotonic() < ends:
            pass

    threads = [threading.Thread(target=spin) for _ in range(4)]
    for thread in threads:
        thread.start()
    during = max(seconds_without_core() for _ in range(50))
    for thread in threads:
        thread.join()

    assert during >= before >= 0
