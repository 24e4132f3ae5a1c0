"""The supervisor: makes what runs match what the database says should run.

It holds the listening socket, so that a web process that is replaced drops no caller; it starts web
and worker, and a runner for each GGUF that is wanted. Deploying, promoting and rolling back are
rows: it starts the new runner, waits until that has answered, switches, and drains the old one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress

import structlog
from sqlite_utils import Database

from backend.child import Child, Command, bare_environment
from backend.domain.errors import ProductError, UnknownModel
from backend.domain.prompt import SYSTEM
from backend.processes import SOCKET_VARIABLE
from backend.runner_child import RunnerChild
from backend.settings import Settings, as_environment
from backend.store import aliases, queue
from backend.store.database import storage_errors
from backend.store.models import (
    Runner,
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
TROUBLE_SECONDS = 5.0


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
        self._kept: dict[str, Runner] = {}
        self._warm_prefix = settings.state_dir / "warm_prefix.json"

    def _child(self, module: str, listener: socket.socket | None = None) -> Child:
        environment = {**self._inherited(module), **as_environment(self._settings)}
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

    def _inherited(self, module: str) -> dict[str, str]:
        """Only the worker talks to endpoints, so only it gets their keys and the proxy."""
        return dict(os.environ) if module == "backend.worker" else bare_environment()

    def run(self, stop: threading.Event) -> None:
        """Supervises until told to stop, then ends every child.

        What goes wrong in a round is logged and tried again in the next: a full disk, a locked
        database, a log that cannot be opened.
        """
        self._begin()
        try:
            while not stop.is_set():
                try:
                    with storage_errors():
                        self._look()
                except (ProductError, OSError) as error:
                    self._log.error("trouble", problem=type(error).__name__, said=str(error))
                    stop.wait(TROUBLE_SECONDS)
                stop.wait(TICK_SECONDS)
        finally:
            self._end_all()

    def _begin(self) -> None:
        forget_runners(self._db)
        queue.release_all(self._db)
        prefix = json.dumps([{"role": "system", "content": SYSTEM}], ensure_ascii=False)
        self._warm_prefix.write_text(prefix, encoding="utf-8")

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
                warm_prefix=self._warm_prefix,
            )
        for name, runner in list(self._runners.items()):
            if name not in wanted:
                self._drain(runner)
                continue
            if self._draining.pop(name, None) is not None:
                runner.resume()
            runner.look()
            self._keep(runner)

    def _keep(self, runner: RunnerChild) -> None:
        """Saves what is known of a runner, if that is not what was saved last."""
        row = runner.row
        if self._kept.get(row.model) == row:
            return
        keep_runner(row, db=self._db)
        self._kept[row.model] = row
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
            del self._runners[name], self._draining[name]
            self._kept.pop(name, None)
            forget_runner(name, db=self._db)
            self._log.info("runner", model=name, state="stopped")

    def _look_at_promotions(self) -> None:
        for promotion in aliases.promotions(self._db):
            if promotion.state != "pending":
                continue
            try:
                model = model_named(promotion.model, db=self._db)
            except UnknownModel as error:
                aliases.give_up(promotion, str(error), db=self._db)
                continue
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
        with suppress(ProductError), storage_errors():
            forget_runners(self._db)
        self._log.info("stopped")


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
