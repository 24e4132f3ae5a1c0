"""Looks before a step starts whether the disk and the memory have room for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from backend.domain.errors import DiskFull, Unavailable

_SPARE = 256 * 1024 * 1024


def check_disk(folder: Path, needed: int, *, step: str) -> None:
    """Raises DiskFull if `needed` bytes and some spare do not fit beside `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise DiskFull(
            f"The step {step!r} writes {gigabytes(needed)} to {folder}, where "
            f"{gigabytes(free)} are free. Free some room, or write to another disk."
        )


def check_memory(needed: int, *, step: str) -> None:
    """Raises Unavailable if `needed` bytes of memory are not free."""
    free = free_memory()
    if free < needed:
        raise Unavailable(
            f"The step {step!r} needs {gigabytes(needed)} of memory and {gigabytes(free)} are "
            "free. Close other programs, or take a machine with more."
        )


def free_memory() -> int:
    """Bytes of memory that are free now."""
    return int(psutil.virtual_memory().available)


def gigabytes(count: float, *, digits: int = 2) -> str:
    """A number of bytes, written out."""
    return f"{count / 1e9:.{digits}f} GB"
