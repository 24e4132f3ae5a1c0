"""One JSON line an event on stderr. Never a prompt, never a reply."""

from __future__ import annotations

import json
import logging
import sys
import time


def log(event: str, **fields: object) -> None:
    """Write one event."""
    line = {"time": round(time.time(), 3), "event": event, **fields}
    sys.stderr.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stderr.flush()


def route_library_logs() -> None:
    """Let errors of uvicorn and asyncio come out as our lines too."""

    def write(record: logging.LogRecord) -> bool:
        error = record.exc_info[0] if record.exc_info else None
        log("library", text=record.getMessage()[:500], error=error.__name__ if error else None)
        return False

    handler = logging.NullHandler(logging.ERROR)
    handler.addFilter(write)
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
