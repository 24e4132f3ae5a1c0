"""Processes of the trainer, forked from one that has imported PyTorch: its import takes seconds."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read at import; the hub of the tests speaks no Xet
_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload(["trainer.tuning.train"])


def start(
    step: Callable[..., int | None],
    *arguments: object,
    said: Path,
    environment: Mapping[str, str] | None = None,
) -> ForkServerProcess:
    """A process of its own that takes a step and writes to a file what it says."""
    process = _FORKED.Process(target=_run, args=(step, arguments, said, environment or {}))
    process.start()
    return process


def ranks(number: int) -> list[dict[str, str]]:
    """The environment of each process of a training together, as a launcher writes it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(number)}
    return [place | {"RANK": str(rank)} for rank in range(number)]


def _run(
    step: Callable[..., int | None],
    arguments: Sequence[object],
    said: Path,
    environment: Mapping[str, str],
) -> None:
    os.environ.update({**environment, "OMP_NUM_THREADS": "1"})
    with said.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.exit(step(*arguments))
