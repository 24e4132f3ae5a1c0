"""The supervisor: makes what runs match what the database says should run.

It holds the listening socket, so that a web process that is replaced drops no caller; it starts web
and worker, and a runner for each GGUF that is wanted. Deploying, promoting and rolling back are
rows: it starts the new runner, waits until that has answered, switches, and drains the old one.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
from sqlite_utils import Database

from backend.child import Child, Command
from backend.domain.errors import BadSettings, DiskFull
from backend.log import rotate, start_log
from backend.processes import SOCKET_VARIABLE
from backend.runner_child import RunnerChild
from backend.settings import Settings, as_environment
from backend.store import aliases, queue
from backend.store.database import open_database, storage_errors
from backend.store.models import (
    busy,
    forget_runner,
    forget_runners,
    keep_runner,
    model_named,
    wanted_ggufs,
)

TICK_SECONDS = 0.1
DRAIN_SECONDS = 60.0
END_SECONDS = 5.0
DISK_FULL_PAUSE_SECONDS = 5.0


class Supervisor:
    """Children by role, and runners by model."""

    def __init__(
        self,
        settings: Settings,
        *,
        listener: socket.socket,
        db: Database,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._db = db
        self._log = log
        self._logs = settings.state_dir / "log"
        self._web = self._child("backend.app", listener)
        self._worker = self._child("backend.worker")
        self._runners: dict[str, RunnerChild] = {}
        self._draining: dict[str, float] = {}

    def _child(self, module: str, listener: socket.socket | None = None) -> Child:
        environment = as_environment(self._settings)
        fds = [listener.fileno()] if listener else []
        if listener:
            environment[SOCKET_VARIABLE] = str(listener.fileno())
        name = module.removeprefix("backend.")
        return Child(
            Command(
                arguments=[sys.executable, "-m", module],
                environment=environment,
                errors=self._logs / f"{name}.log",
                pass_fds=fds,
            )
        )

    def run(self, stop: threading.Event) -> None:
        """Supervises until told to stop, then ends every child."""
        forget_runners(self._db)
        queue.release_all(self._db)
        try:
            while not stop.is_set():
                try:
                    with storage_errors():
                        self._look()
                except DiskFull as error:
                    self._log.error("disk_full", said=str(error))
                    stop.wait(DISK_FULL_PAUSE_SECONDS)
                stop.wait(TICK_SECONDS)
        finally:
            self._end_all()

    def _look(self) -> None:
        self._look_at_servers()
        self._look_at_runners()
        self._look_at_promotions()

    def _look_at_servers(self) -> None:
        for name, child in (("web", self._web), ("worker", self._worker)):
            if (code := child.ended()) is not None:
                self._log.warning("ended", child=name, status=code, said=child.last_error_line())
                if child is self._worker:
                    queue.release_all(self._db)
            if child.start_if_due():
                self._log.info("started", child=name, child_pid=child.pid)

    def _look_at_runners(self) -> None:
        wanted = {
            model.name: model for model in wanted_ggufs(self._settings.suggest.models, db=self._db)
        }
        for name in wanted.keys() - self._runners.keys():
            self._runners[name] = RunnerChild(
                wanted[name],
                settings=self._settings.runner,
                threads=max(1, cores() // len(wanted)),
                log_dir=self._logs,
            )
        for name, runner in list(self._runners.items()):
            before = runner.row
            if name not in wanted:
                self._drain(runner)
                continue
            if self._draining.pop(name, None) is not None:
                runner.resume()
            runner.look()
            if runner.row != before:
                self._keep(runner)

    def _keep(self, runner: RunnerChild) -> None:
        row = runner.row
        keep_runner(row, db=self._db)
        self._log.info("runner", model=row.model, state=row.state, problem=row.problem or None)

    def _drain(self, runner: RunnerChild) -> None:
        name = runner.model.name
        if name not in self._draining:
            self._draining[name] = time.monotonic()
            runner.drain()
            self._keep(runner)
            return
        overdue = time.monotonic() - self._draining[name] > DRAIN_SECONDS
        if overdue or not busy(name, db=self._db):
            runner.end(within_seconds=END_SECONDS)
            forget_runner(name, db=self._db)
            self._log.info("runner", model=name, state="stopped")
            del self._runners[name], self._draining[name]

    def _look_at_promotions(self) -> None:
        for promotion in aliases.promotions(self._db):
            if promotion.state != "pending":
                continue
            model = model_named(promotion.model, db=self._db)
            state, problem = "ready", ""
            if model.kind == "gguf":
                if model.name not in self._runners:  # asked for since this round began
                    continue
                row = self._runners[model.name].row
                state, problem = row.state, row.problem
            if state == "ready":
                aliases.complete(promotion, db=self._db)
                self._log.info("promoted", alias=promotion.alias, model=model.name)
            elif state == "failed":
                aliases.give_up(promotion, problem, db=self._db)
                self._log.warning("promotion_failed", model=model.name, problem=problem)

    def _end_all(self) -> None:
        children: list[Child | RunnerChild] = [self._web, self._worker]
        children += self._runners.values()
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + END_SECONDS
        for child in children:
            child.end(within_seconds=deadline - time.monotonic())
        forget_runners(self._db)
        self._log.info("stopped")


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def supervise(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Runs the product until SIGTERM or Ctrl-C. `ready` gets the address once it listens.

    Raises BadSettings if the port is taken or another supervisor has the state directory.
    """
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    rotate(settings)
    log = start_log(settings, process="supervisor")
    db = open_database(settings.database)
    with _alone(settings), _listener(settings) as listener:
        host, port = listener.getsockname()[:2]
        log.info("listening", host=host, port=port)
        ready(f"http://{host}:{port}")
        Supervisor(settings, listener=listener, db=db, log=log).run(stop)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with (settings.state_dir / "serve.lock").open("w") as lock:
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
            "or set web.port (0 takes a free one)."
        ) from error
    with listener:
        listener.set_inheritable(True)
        yield listener
