"""A runner as the supervisor holds it: a child that says its port, then that it is healthy."""

from __future__ import annotations

import json
import math
import os
import secrets
import sys
import time
from pathlib import Path

from backend.child import Child, Command, bare_environment
from backend.domain.errors import UnusableModel
from backend.domain.model_card import check_prompt_format
from backend.loopback import answers
from backend.setting_groups import RunnerSettings
from backend.store.models import Model, Runner, RunnerState

KEY_VARIABLE = "SUGGEST_ANSWER_RUNNER_KEY"
UNUSABLE = (2, 3)  # exit statuses: settings or file cannot be used, another try makes no sense
MOST_FAILURES = 5  # in a row, without having been ready
FAILED_SECONDS = 60.0
HEALTH_SECONDS = 5.0
MISSED_CHECKS = 6
MEMORY_SECONDS = 10.0  # until a file that found no room in memory is tried again
_MEMORY_SHARE = 0.95


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
        elif time.monotonic() - self._checked > HEALTH_SECONDS:
            self._check_health()

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
    arguments += ["--slots", str(settings.slots), "--threads", str(settings.threads or threads)]
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
        fields = dict(
            line.split(":", 1)
            for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        )
    except FileNotFoundError:
        return ""
    free = int(fields["MemAvailable"].split()[0]) * 1024
    if need < free * _MEMORY_SHARE:
        return ""
    return (
        f"The file has {need / 1e9:.1f} GB and {free / 1e9:.1f} GB of memory are free. "
        "Deactivate another model, or quantise this one further."
    )
