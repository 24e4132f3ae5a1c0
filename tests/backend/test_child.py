"""A child process that is kept alive: started, restarted after growing pauses, ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from backend.system.processes import LONGEST_PAUSE_SECONDS, Child, Command, pause_seconds

Found = TypeVar("Found")
STAYS = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print(grandchild.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def child_of(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def make(program: str, *, reads_output: bool = True, **environment: str) -> Child:
        command = Command(
            arguments=[sys.executable, "-S", "-c", program],
            environment=environment,
            errors=tmp_path / "log" / "child.log",
            reads_output=reads_output,
        )
        children.append(Child(command))
        return children[-1]

    yield make
    for child in children:
        child.end(within_seconds=0)


def until(look: Callable[[], Found | None], *, seconds: float = 60) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.005)
    return found


def output(child: Child) -> str:
    def read() -> str:
        assert child.output is not None
        try:
            return os.read(child.output, 4096).decode()
        except BlockingIOError:
            return ""

    return until(read)


def status(child: Child) -> int:
    return end_of(child)[0]


def end_of(child: Child) -> tuple[int, float]:
    """Its status, and a moment just before it was noticed, which its pause begins with."""

    def look() -> tuple[int, float] | None:
        moment = time.monotonic()
        code = child.ended()
        return None if code is None else (code, moment)

    return until(look)


def test_a_child_is_started_once_and_told_its_environment(child_of: Callable[..., Child]) -> None:
    program = "import os, time; print(os.environ['COLOUR'], flush=True); time.sleep(60)"
    child = child_of(program, COLOUR="red")
    assert child.pid is None

    assert child.start_if_due()
    assert not child.start_if_due()

    assert output(child) == "red\n"
    assert child.ended() is None
    assert child.pid


def test_reading_its_output_never_waits(child_of: Callable[..., Child]) -> None:
    child = child_of("import time; time.sleep(60)")
    child.start_if_due()

    assert child.output is not None
    with pytest.raises(BlockingIOError):
        os.read(child.output, 1)


def test_its_end_is_told_once_and_it_starts_again_after_a_pause(
    child_of: Callable[..., Child],
) -> None:
    child = child_of("raise SystemExit(7)")
    child.start_if_due()

    code, ended = end_of(child)
    assert code == 7
    assert child.ended() is None
    assert child.pid is None
    assert until(child.start_if_due)
    assert time.monotonic() - ended >= 0.2

    code, ended = end_of(child)
    assert code == 7
    assert until(child.start_if_due)
    assert time.monotonic() - ended >= 0.4, "the second pause is longer"


def test_a_killed_child_is_started_again(child_of: Callable[..., Child]) -> None:
    child = child_of(STAYS)
    child.start_if_due()
    assert child.pid
    first = child.pid
    os.kill(first, signal.SIGKILL)

    assert status(child) == -signal.SIGKILL
    assert until(child.start_if_due)
    assert child.pid != first


def test_pauses_grow_to_a_limit_and_no_number_of_failures_is_too_many() -> None:
    pauses = [pause_seconds(failures) for failures in range(3000)]

    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_ending_asks_first(child_of: Callable[..., Child]) -> None:
    child = child_of(STAYS)
    child.start_if_due()
    output(child)

    begun = time.monotonic()
    child.end(within_seconds=60)

    assert time.monotonic() - begun < 30
    assert (child.pid, child.output) == (None, None)
    child.end(within_seconds=10)  # again: nothing to end


def test_a_child_that_does_not_listen_is_killed_with_all_it_started(
    child_of: Callable[..., Child],
) -> None:
    child = child_of(STUBBORN)
    child.start_if_due()
    grandchild = int(output(child))
    child.ask_to_end()

    child.end(within_seconds=0.1)

    assert child.pid is None
    until(lambda: not _runs(grandchild))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_has_a_session_of_its_own_so_that_ctrl_c_reaches_only_the_parent(
    child_of: Callable[..., Child],
) -> None:
    child = child_of(STAYS)
    child.start_if_due()

    assert child.pid
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit('It cannot be served.')", "It cannot be served."),
        ("import sys; sys.stderr.write('first\\nlast ' + 'ї' * 9 + '\\n\\n')", "last " + "ї" * 9),
        ("import sys; sys.stderr.buffer.write(b'\\xff\\xfe')", "\ufffd\ufffd"),
        ("import sys; sys.stderr.write('x\\n' * 9000 + 'end')", "end"),
        ("", ""),
    ],
)
def test_its_last_words_are_known(child_of: Callable[..., Child], program: str, said: str) -> None:
    child = child_of(program, reads_output=False)
    assert child.last_error_line() == ""
    child.start_if_due()

    status(child)

    assert child.last_error_line() == said
    assert child.output is None
