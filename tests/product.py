"""The real product for tests: supervisor, gunicorn, worker and runners, each a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from sqlite_utils import Database

from backend.system.database import connect

START_SECONDS = 60.0
LOOK_SECONDS = 0.05
Json = dict[str, Any]


class Product:
    """A running product and a client of it."""

    def __init__(self, process: subprocess.Popen[str], state_dir: Path, address: str) -> None:
        self.process = process
        self.state_dir = state_dir
        self.address = address
        self.client = httpx2.Client(base_url=address + "/api/v1", timeout=60)

    @property
    def db(self) -> Database:
        """A connection of the test's own to the product's database."""
        return connect(self.state_dir / "suggest-answer.db")

    def suggest(self, text: str, **more: Any) -> Json:
        """Clicks once; the suggestion as it is accepted."""
        answer = self.client.post("/suggestions", json={"ticket": {"text": text}, **more})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def finished(self, suggestion_id: str, *, rater: str = "", seconds: float = 60) -> Json:
        """The suggestion once nothing more will come."""
        deadline = time.monotonic() + seconds
        found: Json = {"revision": 0}
        while time.monotonic() < deadline:
            try:
                answer = self.client.get(
                    f"/suggestions/{suggestion_id}",
                    params={"wait": 5, "since": found["revision"]},
                    headers={"X-Rater": rater},
                )
            except httpx2.TransportError:  # the web process was killed; it comes back
                time.sleep(LOOK_SECONDS)
                continue
            found = dict(answer.json())
            if found["state"] in ("done", "failed", "cancelled"):
                return found
        raise AssertionError(f"not finished after {seconds} s: {found}")

    def events(self, suggestion_id: str, headers: Mapping[str, str] = {}) -> Iterator[Json]:
        """Server-sent events as {id, event, data}, until the stream ends."""
        url = f"/suggestions/{suggestion_id}/events"
        with self.client.stream("GET", url, headers=dict(headers)) as stream:
            event: Json = {}
            for line in stream.iter_lines():
                if not line and "data" in event:
                    yield event
                    event = {}
                elif found := re.fullmatch(r"(id|event|data): (.*)", line):
                    name, value = found.groups()
                    event[name] = json.loads(value) if name in ("data", "id") else value

    def children(self, module: str) -> list[int]:
        """Process ids of the product's children that run a module, such as `backend.worker`."""
        ours = {self.process.pid}
        for _ in range(2):  # gunicorn's worker is a child's child
            ours |= {pid for pid in _processes() if _parent(pid) in ours}
        return sorted(
            pid for pid in ours if module in _read(Path(f"/proc/{pid}/cmdline")).split("\0")
        )

    def kill(self, module: str) -> int:
        """SIGKILL to every process of a module; how many there were."""
        pids = self.children(module)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def wait_until(self, is_so: Callable[[], bool], *, seconds: float = 30) -> None:
        """Returns once `is_so` is true; an AssertionError after `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"not so after {seconds} s"
            time.sleep(LOOK_SECONDS)

    def ready(self) -> bool:
        """Whether every active model can answer."""
        try:
            return self.client.get(self.address + "/readyz").status_code == 200
        except httpx2.TransportError:
            return False


@contextmanager
def running(
    state_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Product]:
    """Starts the product on a state directory and ends it after the block."""
    command = [sys.executable, "-m", "backend", "--state-dir", str(state_dir), "serve"]
    process = subprocess.Popen(
        [*command, "--port", "0", *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    )
    product: Product | None = None
    try:
        assert process.stdout
        product = Product(process, state_dir, _address(process))
        product.wait_until(product.ready, seconds=START_SECONDS)
        yield product
    finally:
        if product:
            product.client.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        finally:
            process.kill()  # one that does not end fails the test, and is not left behind
            if process.stdout:
                process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found.group()
    raise AssertionError(f"the product ended with status {process.wait()}")


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    return _status(pid)[:1] not in ([], ["Z"])


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    return int((*_status(pid)[1:2], "0")[0])


def _status(pid: int) -> list[str]:
    """State, parent and so on, as proc(5) lists them after the name."""
    return _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except (OSError, ValueError):
        return ""
