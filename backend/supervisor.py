"""The supervisor: makes what runs match what the database says should run.

It holds the listening socket, so that a web process that is replaced drops no caller; it starts
web and worker, and a runner for each GGUF that is wanted. Deploying, promoting and rolling back
are rows: it starts the new runner, waits until that has answered, switches, and drains the old
one. The cores are divided among the runners that there are, anew whenever their number changes.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import structlog
from sqlite_utils import Database

from backend.domain.errors import ProductError, UnknownModel, UnusableModel
from backend.domain.model_card import check_prompt_format
from backend.domain.prompt import SYSTEM
from backend.settings import RunnerSettings, Settings, as_environment
from backend.store import promotions, queue
from backend.store.models import (
    Model,
    Runner,
    RunnerState,
    busy,
    forget_runner,
    forget_runners,
    keep_runner,
    model_named,
    wanted_ggufs,
)
from backend.system.database import storage_errors
from backend.system.files import write_whole
from backend.system.loopback import accepts, answers
from backend.system.processes import SOCKET_VARIABLE, Child, Command, bare_environment
from backend.system.resources import cores, free_memory, gigabytes

TICK_SECONDS = 0.1
DRAIN_SECONDS = 60.0
END_SECONDS = 5.0
TROUBLE_SECONDS = 5.0
KEY_VARIABLE = "SUGGEST_ANSWER_RUNNER_KEY"
UNUSABLE = (2, 3)  # exit statuses: settings or file cannot be used, another try makes no sense
MOST_FAILURES = 5  # in a row, without having been ready
FAILED_SECONDS = 60.0
HEALTH_SECONDS = 5.0
MISSED_CHECKS = 6
MEMORY_SECONDS = 10.0  # until a file that found no room in memory is tried again
_MEMORY_SHARE = 0.95


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
        self._logs = settings.log_folder
        self._web = self._child("backend.app", listener)
        self._worker = self._child("backend.worker")
        self._runners: dict[str, RunnerChild] = {}
        self._draining: dict[str, float] = {}
        self._kept: dict[str, Runner] = {}
        self._warm_prefix = settings.state_dir / "warm_prefix.json"
        self._cores = cores()

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
        write_whole(self._warm_prefix, prefix)

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
                threads=self._threads_of_each(len(wanted.keys() | self._runners.keys())),
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
        self._divide_cores()

    def _divide_cores(self) -> None:
        """What one that failed or ended does not compute with is for the others."""
        computing = [child for child in self._runners.values() if child.row.state != "failed"]
        for child in computing:
            child.use_threads(self._threads_of_each(len(computing)))

    def _threads_of_each(self, runners: int) -> int:
        return self._settings.runner.threads or max(1, self._cores // runners)

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
        for promotion in promotions.promotions(self._db):
            if promotion.state != "pending":
                continue
            try:
                model = model_named(promotion.model, db=self._db)
            except UnknownModel as error:
                promotions.give_up(promotion, str(error), db=self._db)
                continue
            state, problem = "ready", ""
            if model.kind == "gguf":
                if model.name not in self._runners:  # asked for since this round began
                    continue
                row = self._runners[model.name].row
                state, problem = row.state, row.problem
            if state == "ready":
                promotions.complete(promotion, db=self._db)
                self._log.info("promoted", alias=promotion.alias, model=model.name)
            elif state == "failed":
                promotions.give_up(promotion, problem, db=self._db)
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


class RunnerChild:
    """One GGUF's runner. `look` moves it on; `row` is what the store should say of it."""

    def __init__(
        self,
        model: Model,
        *,
        settings: RunnerSettings,
        threads: int,
        log_dir: Path,
        warm_prefix: Path,
    ) -> None:
        self.model = model
        self._key = secrets.token_urlsafe(24)
        self._began_with = self._told = self._threads = threads
        errors = log_dir / f"runner-{model.name}.log"
        self._child = Child(
            Command(
                arguments=[
                    *_arguments(model, settings, threads),
                    *("--warm-prefix", str(warm_prefix)),
                ],
                environment={**bare_environment(), KEY_VARIABLE: self._key},
                errors=errors,
                reads_output=True,
            )
        )
        self._state: RunnerState = "starting"
        self._problem = ""
        self._port = 0
        self._said = b""
        self._checked = 0.0
        self._tell_after = 0.0
        self._missed = 0
        self._failures = 0
        self._look_again = math.inf

    @property
    def row(self) -> Runner:
        """What is known of it now."""
        url = f"http://127.0.0.1:{self._port}/v1" if self._port else ""
        return Runner(self.model.name, self._state, url, self._key, self._child.pid, self._problem)

    def look(self) -> None:
        """Starts it, notices its port, its health or its end. Takes a moment, never waits."""
        if self._state == "failed" and time.monotonic() < self._look_again:
            return
        if (code := self._child.ended()) is not None:
            self._end_noticed(code)
            return
        if self._child.pid is None:
            self._start()
            return
        if not self._port:
            self._read_port()
        elif self._state == "starting":
            if _healthy(self._port, 0.5):
                self._state, self._missed, self._failures, self._problem = "ready", 0, 0, ""
        else:
            self._attend(time.monotonic())

    def use_threads(self, count: int) -> None:
        """Computes with so many threads from now on; it is told when it is ready."""
        self._threads = count

    def drain(self) -> None:
        """Takes no new work from now on."""
        if self._state == "ready":
            self._state = "draining"

    def resume(self) -> None:
        """Is wanted again before it was empty."""
        if self._state == "draining":
            self._state = "ready"

    def ask_to_end(self) -> None:
        """Sends SIGTERM."""
        self._child.ask_to_end()

    def end(self, *, within_seconds: float) -> None:
        """Ends the process."""
        self._child.end(within_seconds=within_seconds)
        self._state, self._port = "stopped", 0

    def _start(self) -> None:
        if problem := _wrong_format(self.model):
            self._fail(problem, again_after=math.inf)
        elif problem := _too_big(Path(self.model.path)):
            self._fail(problem, again_after=MEMORY_SECONDS)
        elif self._child.start_if_due():
            self._state, self._port, self._said = "starting", 0, b""
            self._told = self._began_with

    def _fail(self, problem: str, *, again_after: float) -> None:
        self._state, self._problem = "failed", problem
        self._look_again = time.monotonic() + again_after

    def _end_noticed(self, code: int) -> None:
        said = self._child.last_error_line()
        self._port = 0
        self._failures += 1
        if code in UNUSABLE:
            self._fail(_sentence(said) or "It cannot be served.", again_after=math.inf)
        elif self._failures >= MOST_FAILURES:
            problem = f"It ended {self._failures} times in a row, last with status {code}."
            self._fail(problem, again_after=FAILED_SECONDS)
        else:
            self._state = "starting"
            self._problem = f"It ended with status {code} and is started again."

    def _read_port(self) -> None:
        if (output := self._child.output) is None:
            return
        try:
            self._said += os.read(output, 4096)
        except BlockingIOError:
            return
        for line in self._said.splitlines(keepends=True):
            if line.endswith(b"\n") and b'"listening"' in line:
                self._port = int(json.loads(line)["port"])

    def _attend(self, moment: float) -> None:
        if moment - self._checked > HEALTH_SECONDS:
            self._check_health()
        elif self._told != self._threads and moment > self._tell_after:
            self._tell_threads()

    def _tell_threads(self) -> None:
        """One that does not listen is told again later."""
        url = f"http://127.0.0.1:{self._port}/threads"
        if accepts(url, {"threads": self._threads}, key=self._key, timeout=0.5):
            self._told = self._threads
        else:
            self._tell_after = time.monotonic() + HEALTH_SECONDS

    def _check_health(self) -> None:
        self._checked = time.monotonic()
        self._missed = 0 if _healthy(self._port, 2.0) else self._missed + 1
        if self._missed >= MISSED_CHECKS:
            self._missed = 0
            self._problem = "It stopped answering and is started again."
            self._child.end(within_seconds=1.0)
            self._state, self._port = "starting", 0


def _arguments(model: Model, settings: RunnerSettings, threads: int) -> list[str]:
    arguments = [sys.executable, "-m", "backend.runner", "--model", model.path, "--port", "0"]
    arguments += ["--name", model.name, "--sha256", model.sha256]
    arguments += ["--slots", str(settings.slots), "--threads", str(threads)]
    if settings.context:
        arguments += ["--context", str(settings.context)]
    if settings.batch:
        arguments += ["--batch", str(settings.batch)]
    return arguments


def _wrong_format(model: Model) -> str:
    """Why the model's card forbids serving it, or nothing if it does not."""
    try:
        if card := model.model_card:
            check_prompt_format(card)
    except UnusableModel as error:
        return str(error)
    return ""


def _sentence(line: str) -> str:
    """What a log line of the runner says to a person."""
    try:
        return str(json.loads(line)["text"])
    except (ValueError, KeyError, TypeError):
        return line


def _healthy(port: int, timeout: float) -> bool:
    return answers(f"http://127.0.0.1:{port}/health", timeout=timeout)


def _too_big(file: Path) -> str:
    """Why the file cannot be loaded into this machine's memory, or nothing if it can."""
    try:
        need = file.stat().st_size
    except FileNotFoundError:
        return ""
    free = free_memory()
    if need < free * _MEMORY_SHARE:
        return ""
    return (
        f"The file has {gigabytes(need, digits=1)} and {gigabytes(free, digits=1)} of memory are "
        "free. Deactivate another model, or quantise this one further."
    )
