"""Files of any size: read line by line, zipped or not, and known by their hash.

Files that only their owner may read, written whole or not at all.

Files that are there whole or not at all, whenever the program that writes them is killed.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from backend.domain.errors import BadInput, DiskFull

_GZIP = b"\x1f\x8b"


def opened(path: Path) -> IO[bytes]:
    """A file for reading, unzipped if it is in gzip by its first bytes, whatever its name."""
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP)) == _GZIP
    return cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")


def sha256_of(path: Path) -> str:
    """The hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    with room(), os.fdopen(descriptor, "wb") as opened:
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
    """Writes all of it: one system call may take only a part. Raises DiskFull."""
    left = memoryview(content)
    with room():
        while left:
            left = left[os.write(descriptor, left) :]


@contextmanager
def room() -> Iterator[None]:
    """Turns a disk without room into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DiskFull(
            "The disk is full. What was read so far is kept: make room, then run the export "
            "again, and it goes on from there."
        ) from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file (text as UTF-8) whole or not at all, whoever else may be writing it too.

    Until it is whole, what stood there before stays.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file a second name: as a link where the file system has any, else as a copy.

    A new file that later takes the name of `source` does not change `target`.
    """
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
