"""Structured logs: one JSON object a line and an event, and never a ticket's or a reply's text.

All processes append to one file; a line is one system call, so lines do not mix. A line that
finds no room on the disk is lost: what is logged matters less than what goes on.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

import structlog

from backend.settings import Settings

FILE_NAME = "suggest-answer.jsonl"
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


def log_file(settings: Settings) -> Path:
    """Where the log is, if it goes to a file."""
    return settings.state_dir / "log" / FILE_NAME


def start_log(settings: Settings, *, process: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose every line says which process wrote it."""
    lines = _Lines(_open(settings))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_personal_data,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log.level]),
        logger_factory=lambda *arguments: lines,
        cache_logger_on_first_use=True,
    )
    logging.getLogger().setLevel(logging.WARNING)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(
        process=process, pid=os.getpid()
    )
    return logger


def _without_personal_data(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Redacts a traceback: the message of an error nobody foresaw may quote a ticket."""
    if isinstance(trace := event.get("exception"), str):
        from backend.privacy import Placeholders  # what finds is imported where it is needed

        event["exception"] = Placeholders().redact(trace)
    return event


def rotate(settings: Settings) -> None:
    """Keeps each log as `.1` once it has grown over 20 MB. Only while nothing writes to them."""
    for file in log_file(settings).parent.glob("*.*"):
        if file.suffix != ".1" and file.stat().st_size > MAX_BYTES:
            file.replace(file.with_name(file.name + ".1"))


def _open(settings: Settings) -> int:
    if settings.log.to == "stderr":
        return _STANDARD_ERROR
    file = log_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
