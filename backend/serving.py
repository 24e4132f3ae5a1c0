"""Serving in the foreground: the one listening socket, the one supervisor of a state directory."""

from __future__ import annotations

import fcntl
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backend.domain.errors import BadSettings
from backend.log import rotate, start_log
from backend.processes import SERVE_LOCK
from backend.settings import Settings
from backend.store.database import open_database
from backend.supervisor import Supervisor


def supervise(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Runs the product until SIGTERM or Ctrl-C. `ready` gets the address once it listens.

    Raises BadSettings if the port is taken or another supervisor has the state directory.
    """
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    db = open_database(settings.database)
    with _alone(settings), _listener(settings) as listener:
        rotate(settings)
        log = start_log(settings, process="supervisor")
        host, port = listener.getsockname()[:2]
        log.info("listening", host=host, port=port)
        ready(f"http://{host}:{port}")
        Supervisor(settings, listener=listener, db=db, log=log).run(stop)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with (settings.state_dir / SERVE_LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(
                f"suggest answer already runs on {settings.state_dir}. Stop it first, or choose "
                "another state_dir."
            ) from error
        yield


@contextmanager
def _listener(settings: Settings) -> Iterator[socket.socket]:
    web = settings.web
    try:
        listener = socket.create_server((web.host, web.port), backlog=256)
    except OSError as error:
        raise BadSettings(
            f"Cannot listen on {web.host}:{web.port}: {error.strerror}. Stop what uses the port, "
            "or take another: --port or web.port (0 takes a free one)."
        ) from error
    with listener:
        listener.set_inheritable(True)
        yield listener
