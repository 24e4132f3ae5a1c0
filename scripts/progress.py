"""Run a long command so that whoever waits sees it move, and so that nothing of it is left behind.

On a terminal one line is redrawn; elsewhere a line is written now and then. The whole output goes
to a log, and a failure names that log together with the likely way out.
"""

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

SECONDS_BETWEEN_LINES = 15
SECONDS_TO_END = 5

ADVICE = (
    (
        r"No space left on device|ENOSPC",
        "The disk is full: free about 3 GB, then start again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER",
        "A proxy on this network signs with a certificate of its own: put the path of its file in "
        "PIP_CERT, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS, then start again.",
    ),
    (
        r"NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|Connection (reset|refused|"
        r"broken)|ProtocolError|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|Failed to fetch|Could not resolve",
        "A package server could not be reached: check the network and the proxy settings, then "
        "start again. What was fetched so far is kept.",
    ),
    (
        r"Killed signal|Cannot allocate memory|out of memory",
        "The memory ran out: close other programs (compiling takes about 2 GB), then start again.",
    ),
)


class SetUpFailedError(Exception):
    """Setting up cannot go on; the message says why and what to do."""


def run(
    title: str,
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[str], str] = str.strip,
) -> None:
    """Run a command under a title; `watch` turns each line of its output into a short note.

    Raises SetUpFailedError if the command fails.
    """
    started = time.monotonic()
    display = _Display(title)
    seen: list[str] = []
    with log.open("a", encoding="utf-8") as kept:
        kept.write(f"\n$ {' '.join(command)}\n")
        with _started(command, environment) as process:
            for line in _lines(process):
                if line is not None:
                    kept.write(line)
                    kept.flush()
                    seen.append(line)
                    display.note = watch(line) or display.note
                display.show(time.monotonic() - started)
    if process.returncode:
        display.end(f"failed after {_clock(time.monotonic() - started)}")
        raise SetUpFailedError(_explanation(title, seen, log))
    display.end(f"done in {_clock(time.monotonic() - started)}")


@contextlib.contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, ended with all its children if we are stopped."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        close_fds=False,
    ) as process:
        try:
            yield process
            process.wait()
        finally:
            if process.returncode is None:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End the whole group: asked first, so that compilers and pip can put their things away."""
    deadline = time.monotonic() + SECONDS_TO_END
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _lines(process: subprocess.Popen[str]) -> Iterator[str | None]:
    """Each line of output, and None whenever a fifth of a second passes without one."""
    waiting: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process, waiting), daemon=True).start()
    while True:
        try:
            line = waiting.get(timeout=0.2)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _pump(process: subprocess.Popen[str], waiting: "queue.Queue[str | None]") -> None:
    for line in process.stdout or ():
        waiting.put(line)
    waiting.put(None)


class _Display:
    """What is shown of one command: a line that is redrawn, or one line now and then."""

    def __init__(self, title: str) -> None:
        self.note = ""
        self._title = title
        self._moves = sys.stdout.isatty()
        self._shown_at = 0.0
        self._write(f"  {title} ...", end="" if self._moves else "\n")

    def show(self, seconds: float) -> None:
        """Show the state again, if it is time to."""
        if seconds - self._shown_at < (0.2 if self._moves else SECONDS_BETWEEN_LINES):
            return
        self._shown_at = seconds
        note = f"  {self.note}" if self.note else ""
        self._replace(f"  {self._title}: {_clock(seconds)}{note}", end="")

    def end(self, outcome: str) -> None:
        """Leave one last line."""
        self._replace(f"  {self._title}: {outcome}", end="\n")

    def _replace(self, text: str, *, end: str) -> None:
        if self._moves:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r\x1b[2K{text[:width]}", end=end)
        else:
            self._write(text, end="\n")

    @staticmethod
    def _write(text: str, *, end: str) -> None:
        sys.stdout.write(text + end)
        sys.stdout.flush()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _explanation(title: str, seen: Sequence[str], log: Path) -> str:
    output = "".join(seen)
    errors = [line.strip() for line in seen if re.match(r"\s*(npm )?(error|E:)", line, re.I)]
    advice = [text for pattern, text in ADVICE if re.search(pattern, output)]
    return "\n".join(
        (
            f"{title}: this failed.",
            *(f"  {line}" for line in errors[:3] or [line.rstrip() for line in seen[-3:]]),
            (advice or ["Look at the end of the log, then start again: it goes on from here."])[0],
            f"Full log: {log}",
        )
    )
