"""How many threads compute beside other busy processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_a_new_number_of_threads_is_used_at_once_and_given_up_where_it_is_crowded() -> None:
    machine = Machine()
    pace = ThreadPace(1, waited=lambda: machine.waited)

    pace.allow(3)
    assert pace.threads == 3
    assert machine.compute(pace, crowded=True, seconds=0.6)[-1] == 1
    assert machine.compute(pace, crowded=False, seconds=3)[-1] == 3
    pace.allow(1)
    assert machine.compute(pace, crowded=False, seconds=3)[-1] == 1


BESIDE_ANOTHER = """
import os, subprocess, sys, threading, time
from backend.runner.thread_pace import seconds_without_core

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
other = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # on the same core

def spin():
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        pass
    print(seconds_without_core())

thread = threading.Thread(target=spin)
thread.start()
thread.join()
other.kill()
other.wait()
"""


def test_a_thread_beside_another_process_waits_for_its_core() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BESIDE_ANOTHER], capture_output=True, text=True, check=True
    )

    assert 0.2 < float(ended.stdout) < 1.1


def test_only_threads_that_compute_are_counted(tmp_path: Path) -> None:
    for task, waited in ((os.getpid(), 9_000_000_000), (1, 250_000_000), (2, 500_000_000)):
        (tmp_path / str(task)).mkdir()
        (tmp_path / str(task) / "schedstat").write_text(f"7000000 {waited} 3\n")
    (tmp_path / "3").mkdir()  # has just ended

    assert seconds_without_core(tmp_path) == 0.75
    assert seconds_without_core(tmp_path / "nothing") == 0
