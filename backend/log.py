"""Structured logs: one JSON object a line and an event, and never a ticket's or a reply's text.

All processes append to one file; a line is one write, so lines do not mix.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TextIO

import structlog

from backend.settings import Settings

FILE_NAME = "suggest-answer.jsonl"
MAX_BYTES = 20_000_000
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def log_file(settings: Settings) -> Path:
    """Where the log is, if it goes to a file."""
    return settings.state_dir / "log" / FILE_NAME


def start_log(settings: Settings, *, process: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose every line says which process wrote it."""
    out = _open(settings)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log.level]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    logging.getLogger().setLevel(logging.WARNING)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(
        process=process, pid=os.getpid()
    )
    return logger


def rotate(settings: Settings) -> None:
    """Keeps the log of the last runs as `.1` once it has grown over 20 MB."""
    file = log_file(settings)
    if file.is_file() and file.stat().st_size > MAX_BYTES:
        file.replace(file.with_suffix(".jsonl.1"))


def _open(settings: Settings) -> TextIO:
    if settings.log.to == "stderr":
        return sys.stderr
    file = log_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("a", encoding="utf-8", buffering=1)
