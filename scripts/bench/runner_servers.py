"""Starts the servers that are compared, each with the same file, threads and slots."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

KEY = "benchmark"
SECONDS_TO_START = 300.0
OURS, LLAMA_SERVER, PYTHON_SERVER = "runner", "llama-server", "llama_cpp.server"


@dataclass(frozen=True)
class Sizes:
    """What all servers are told alike."""

    context: int = 2048
    slots: int = 4
    threads: int = 2


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> tuple[int, str]:
        """The status and text of a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
        response = connection.getresponse()
        return response.status, response.read().decode()

    def resident_megabytes(self) -> float:
        """The memory the process holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return round(int(line.split()[1]) / 1024, 1)


def commands(
    model: Path, sizes: Sizes, *, llama_server: Path | None, python_server: Path | None
) -> dict[str, list[str]]:
    """The command line of each server that is there; `{port}` still to be filled in."""
    ours = [sys.executable, "-m", "backend.runner", "--model", str(model), "--port", "{port}"]
    ours += ["--context", str(sizes.context), "--slots", str(sizes.slots)]
    found = {OURS: [*ours, "--threads", str(sizes.threads), "--name", "m"]}
    common = ["--port", "{port}", "--host", "127.0.0.1"]
    if llama_server:
        cells, slots = str(sizes.context * sizes.slots), str(sizes.slots)
        found[LLAMA_SERVER] = [str(llama_server), "-m", str(model), *common, "--api-key", KEY]
        found[LLAMA_SERVER] += ["-c", cells, "-np", slots, "-t", str(sizes.threads), "--no-webui"]
    if python_server:
        found[PYTHON_SERVER] = [str(python_server), "-m", "llama_cpp.server", *common]
        found[PYTHON_SERVER] += ["--model", str(model), "--n_ctx", str(sizes.context)]
        found[PYTHON_SERVER] += ["--n_threads", str(sizes.threads), "--api_key", KEY]
        found[PYTHON_SERVER] += ["--n_threads_batch", str(sizes.threads), "--model_alias", "m"]
        found[PYTHON_SERVER] += ["--verbose", "False", "--interrupt_requests", "False"]
    return found


@contextmanager
def running(name: str, command: Sequence[str]) -> Iterator[Server]:
    """A server in a process of its own, from its first answer to the end of the block."""
    port = _free_port()
    filled = [part.replace("{port}", str(port)) for part in command]
    environment = os.environ | {"SUGGEST_ANSWER_RUNNER_KEY": KEY}
    process = subprocess.Popen(
        filled, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    server = Server(name, port, process)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def warm_up(server: Server) -> None:
    """Let a server compute something, so that no first page fault is timed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    body = {"messages": [{"role": "user", "content": "warm " * 50}], "max_tokens": 8}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    if connection.getresponse().status != 200:
        raise SystemExit(f"{server.name} does not answer.")
    connection.close()


def _wait(server: Server) -> None:
    path = "/v1/models" if server.name == PYTHON_SERVER else "/health"
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise SystemExit(f"{server.name} ended with {server.process.returncode}.")
        with suppress(OSError):
            if server.get(path)[0] == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"{server.name} did not start in {SECONDS_TO_START:.0f} s.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
