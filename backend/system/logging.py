"""Structured logs: one JSON object a line and an event, and never a ticket's or a reply's text.

All processes append to one file; a line is one system call, so lines do not mix. A line that
finds no room on the disk is lost: what is logged matters less than what goes on.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

MAX_BYTES = 20_000_000
_STANDARD_ERROR = 2
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Lines:
    """Writes each line to a file descriptor at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def msg(self, line: str) -> None:
        with suppress(OSError):
            os.write(self._descriptor, f"{line}\n".encode(errors="backslashreplace"))

    debug = info = warning = error = critical = exception = msg


def start_log(
    file: Path | None, *, level: str, process: str, redact: Callable[[str], str]
) -> structlog.typing.FilteringBoundLogger:
    """A logger whose every line says which process wrote it; without a file, on standard error.

    `redact` takes personal data out of a traceback: the message of an error that nobody foresaw
    may quote a ticket.
    """
    lines = _Lines(_STANDARD_ERROR if file is None else _open(file))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redacted_by(redact),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *arguments: lines,
        cache_logger_on_first_use=True,
    )
    logging.getLogger().setLevel(logging.WARNING)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(
        process=process, pid=os.getpid()
    )
    return logger


def _redacted_by(redact: Callable[[str], str]) -> structlog.typing.Processor:
    def without_personal_data(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        if isinstance(trace := event.get("exception"), str):
            event["exception"] = redact(trace)
        return event

    return without_personal_data


def _open(file: Path) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def rotate(folder: Path) -> None:
    """Keeps each log as `.1` once it has grown over 20 MB. Only while nothing writes to them."""
    for file in folder.glob("*.*"):
        if file.suffix != ".1" and file.stat().st_size > MAX_BYTES:
            file.replace(file.with_name(file.name + ".1"))


def log_event(event: str, **fields: object) -> None:
    """Write one event as a line on standard error: all that a runner has for a log."""
    line = {"time": round(time.time(), 3), "event": event, **fields}
    sys.stderr.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stderr.flush()


def route_library_logs() -> None:
    """Let errors of uvicorn and asyncio come out by `log_event` too."""

    def write(record: logging.LogRecord) -> bool:
        error = record.exc_info[0] if record.exc_info else None
        log_event(
            "library", text=record.getMessage()[:500], error=error.__name__ if error else None
        )
        return False

    handler = logging.NullHandler(logging.ERROR)
    handler.addFilter(write)
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
