"""Child processes: kept alive with growing pauses, ended in order, gone when their parent is."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PARENT_VARIABLE = "SUGGEST_ANSWER_PARENT_PID"
SOCKET_VARIABLE = "SUGGEST_ANSWER_LISTEN_FD"
SERVE_LOCK = "serve.lock"
"""File of a state directory that is locked while a supervisor runs on it."""
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 60.0
_NEEDED = (
    "PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "USER", "VIRTUAL_ENV", "PYTHON",
    "LD_", "OMP_", "GGML_", "SSL_CERT_",
)  # fmt: skip


@dataclass(frozen=True)
class Command:
    """What to start: arguments, its whole environment, descriptors, and where its errors go."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    errors: Path
    reads_output: bool = False
    pass_fds: Sequence[int] = ()


class Child:
    """One process at a time for one command, in a session of its own.

    Ctrl-C in a terminal reaches only the supervisor, which ends its children in order.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._started = 0.0
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def output(self) -> int | None:
        """The descriptor of its standard output, which does not block."""
        return self._process.stdout.fileno() if self._process and self._process.stdout else None

    def start_if_due(self) -> bool:
        """Starts the process unless it runs or its pause is not over. True if it was started."""
        if self._process or time.monotonic() < self._not_before:
            return False
        self._command.errors.parent.mkdir(parents=True, exist_ok=True)
        with self._command.errors.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - arguments are ours
                self._command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._command.reads_output else subprocess.DEVNULL,
                stderr=errors,
                env={**self._command.environment, PARENT_VARIABLE: str(os.getpid())},
                pass_fds=self._command.pass_fds,
                start_new_session=True,
            )
        if self._process.stdout:
            os.set_blocking(self._process.stdout.fileno(), False)
        self._started = time.monotonic()
        return True

    def ended(self) -> int | None:
        """Its exit status, once, after it has ended; the next start waits longer each time."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._close()
        if time.monotonic() - self._started > CALM_SECONDS:
            self._failures = 0
        self._not_before = time.monotonic() + pause_seconds(self._failures)
        self._failures += 1
        return code

    def ask_to_end(self) -> None:
        """Sends SIGTERM."""
        if self._process:
            self._process.terminate()

    def end(self, *, within_seconds: float) -> None:
        """Sends SIGTERM, and SIGKILL to the whole session if that does not help in time."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=max(0.0, within_seconds))
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process and self._process.stdout:
            self._process.stdout.close()
        self._process = None

    def last_error_line(self) -> str:
        """The last line it wrote to standard error: a child that gives up says why there."""
        try:
            with self._command.errors.open("rb") as errors:
                errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4000))
                tail = errors.read()
        except FileNotFoundError:
            return ""
        lines = tail.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def pause_seconds(failures: int) -> float:
    """The wait before a child that failed this often in a row is started again."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 16), LONGEST_PAUSE_SECONDS)


def bare_environment() -> dict[str, str]:
    """What any process needs of this one's environment; no keys and no settings are in it."""
    return {name: value for name, value in os.environ.items() if name.startswith(_NEEDED)}


def die_with_parent() -> None:
    """Asks Linux to kill this process when its parent ends, however that comes about.

    The parent says who it is in the environment: if it has ended already, so does this process.
    Without that variable (a runner started by hand), or on another system, nothing happens.
    """
    named = os.environ.pop(PARENT_VARIABLE, "")
    if not named or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL))
    if os.getppid() != int(named):
        os.kill(os.getpid(), signal.SIGKILL)


def end_with(parent: int) -> None:
    """The same for a forked process, which knows its parent."""
    os.environ[PARENT_VARIABLE] = str(parent)
    die_with_parent()
