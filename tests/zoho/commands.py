"""`suggest-answer zoho …` as real processes on the local Zoho, also killed at random."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from backend.zoho.oauth import CRM, DESK
from tests.zoho.local import CLIENT_ID, CLIENT_SECRET, ROOT, LocalZoho

FILES = ("desk/articles.jsonl", "desk/tickets.jsonl", "crm/solutions.jsonl", "crm/cases.jsonl")
Done = subprocess.CompletedProcess[str]


def command(state_dir: Path, *arguments: str) -> list[str]:
    """The command line of `suggest-answer zoho …` on a state directory."""
    return [sys.executable, "-m", "backend", "--state-dir", str(state_dir), "zoho", *arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment of such a process: plain HTTP is for this machine only."""
    return {**os.environ, "OAUTHLIB_INSECURE_TRANSPORT": "1", "COLUMNS": "120", **more}


def run(state_dir: Path, *arguments: str, said: str = "", **more: str) -> Done:
    """Runs one command to its end."""
    return subprocess.run(
        command(state_dir, *arguments),
        cwd=ROOT,
        env=environment(**more),
        input=said,
        capture_output=True,
        text=True,
        timeout=900,
    )


def hosts(zoho: LocalZoho) -> list[str]:
    """The options that name the local Zoho's hosts."""
    return [f"--{name}-url={zoho.url}" for name in ("accounts", "desk", "crm")]


def connect(zoho: LocalZoho, state_dir: Path) -> Done:
    """Signs in with a Self Client's code."""
    secrets = {"ZOHO_CLIENT_SECRET": CLIENT_SECRET, "ZOHO_CODE": zoho.grant(*DESK, *CRM)}
    arguments = ["connect", "--dc", "us", "--client-id", CLIENT_ID, *hosts(zoho)]
    return run(state_dir, *arguments, **secrets)


def killed(
    state_dir: Path, *arguments: str, times: int, seconds: float, seed: int
) -> Iterator[int]:
    """Runs a command again and again, killed (SIGKILL) after a random part of `seconds` each time.

    The time counts from the run's first line, three times of four: a busy machine takes seconds to
    start a process, and kills should hit the work. Yields, after each kill, the bytes of raw
    records there are; the last run is left in peace. A run that ends by itself before its kill is
    not counted as one.
    """
    chance = random.Random(seed)
    left = times
    while True:
        with subprocess.Popen(
            command(state_dir, *arguments),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            if process.stdout and left and chance.random() < 0.75:
                process.stdout.readline()
            try:
                process.wait(chance.uniform(0, seconds) if left else 900)
            except subprocess.TimeoutExpired:
                process.kill()
                left -= 1
                yield size(state_dir)
                continue
            finally:
                process.kill()
            said = process.stderr.read().decode() if process.stderr else ""
        if process.returncode:
            raise AssertionError(said)
        if not left:
            return


def raw(state_dir: Path) -> Path:
    """Where exports write."""
    return state_dir / "zoho" / "raw"


def size(state_dir: Path) -> int:
    """Bytes of raw records."""
    found = (raw(state_dir) / name for name in FILES)
    return sum(file.stat().st_size for file in found if file.is_file())


def digests(state_dir: Path) -> dict[str, str]:
    """The SHA-256 of each file of raw records."""
    found = {}
    for name in FILES:
        file = raw(state_dir) / name
        if file.is_file():
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found
