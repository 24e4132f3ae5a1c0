"""What all our processes agree on: a child ends when its parent does, and names in the environment.

Imports nothing of the backend, so that the runner may use it too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT_VARIABLE = "SUGGEST_ANSWER_PARENT_PID"
SOCKET_VARIABLE = "SUGGEST_ANSWER_LISTEN_FD"
SERVE_LOCK = "serve.lock"
"""File of a state directory that is locked while a supervisor runs on it."""
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


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
