"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from backend.domain.errors import BadInput

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OTHERS = 0o077


def private_folder(folder: Path) -> Path:
    """The folder, made if need be, with mode 0700.

    Raises BadInput if it is there already and others may look into it, or it cannot be made.
    """
    try:
        for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
            missing.mkdir(mode=FOLDER_MODE, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be used: {error.strerror}. Name another folder."
        ) from error
    if mode & _OTHERS:
        raise BadInput(
            f"{folder} is open to others (mode {mode:03o}) and would hold personal data or keys. "
            f"Close it with `chmod 700 {folder}`, or name a new folder."
        )
    return folder


def write_private(file: Path, content: bytes) -> None:
    """The file with this content and mode 0600; a crash leaves the old content or the new."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    replace(fresh, file)


def replace(fresh: Path, file: Path) -> None:
    """Puts a finished file in the place of another, and makes sure that the disk knows."""
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_private(file: Path) -> int:
    """A file descriptor for reading and appending, of a file with mode 0600."""
    return os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)


def write_all(descriptor: int, content: bytes) -> None:
    """Writes all of it: one system call may take only a part."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
