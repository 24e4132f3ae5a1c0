"""Real runners in processes of their own, each with a tiny model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import openai
import pytest

from backend.runner.model import Model, route_native_log
from tests.backend.runner.schedulers import Schedulers
from tests.tiny_gguf import write_tiny_gguf

KEY = "a-key-for-tests"
SECONDS_TO_START = 20.0


@dataclass(frozen=True)
class RunningRunner:
    """A started process, and clients that speak to it."""

    process: subprocess.Popen[str]
    port: int
    http: httpx2.Client

    @property
    def openai(self) -> openai.OpenAI:
        """The official client, as the product's engines use it."""
        return openai.OpenAI(base_url=f"{self.http.base_url}/v1", api_key=KEY, max_retries=0)

    def chat(self, content: str, **fields: object) -> httpx2.Response:
        """Ask for a completion of one user message."""
        messages = [{"role": "user", "content": content}]
        body = {"messages": messages, "temperature": 0, "max_tokens": 24} | fields
        return self.http.post("/v1/chat/completions", json=body)

    def text(self, content: str, **fields: object) -> str:
        """The text of a completion."""
        return str(self.chat(content, **fields).json()["choices"][0]["message"]["content"])

    def metric(self, name: str) -> float:
        """The current value of a metric, by its full name with labels."""
        lines = self.http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def threads(self) -> int:
        """The threads of its process."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def wait_until_ready(self) -> None:
        """Return once the model has answered its probe."""
        deadline = time.monotonic() + SECONDS_TO_START
        while self.http.get("/health").status_code != 200:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)


StartRunner = Callable[..., RunningRunner]


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def start_runner() -> Iterator[StartRunner]:
    started: list[RunningRunner] = []

    def start(model: Path, *options: str, wait: bool = True) -> RunningRunner:
        process = spawn(model, "--threads", "1", *options)
        assert process.stdout
        port = json.loads(process.stdout.readline())["port"]
        headers = {"Authorization": f"Bearer {KEY}"}
        http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30)
        runner = RunningRunner(process, port, http)
        started.append(runner)
        if wait:
            runner.wait_until_ready()
        return runner

    yield start
    for runner in started:
        runner.http.close()
        runner.process.kill()
        runner.process.communicate()


@pytest.fixture(scope="session")
def runner(start_runner: StartRunner, tiny_gguf: Path) -> RunningRunner:
    return start_runner(tiny_gguf, "--name", "tiny", "--slots", "4")


def spawn(model: Path, *options: str) -> subprocess.Popen[str]:
    """Start a runner's process with its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "backend.runner", "--model", str(model), *options],
        env=os.environ | {"SUGGEST_ANSWER_RUNNER_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="session")
def model(tiny_gguf: Path) -> Iterator[Model]:
    route_native_log(lambda _: None)
    model = Model(tiny_gguf)
    yield model
    model.close()


@pytest.fixture
def schedulers(model: Model) -> Iterator[Schedulers]:
    schedulers = Schedulers(model)
    yield schedulers
    schedulers.close()
