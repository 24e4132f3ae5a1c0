"""Files: whole or not at all, whenever the program that writes them is killed; some private."""

from __future__ import annotations

import errno
import glob
import gzip
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from backend.domain.errors import BadInput, DiskFull

PUBLIC_MODE, PRIVATE_MODE, PRIVATE_FOLDER_MODE = 0o666, 0o600, 0o700
_OTHERS = 0o077
_GZIP = b"\x1f\x8b"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_whole(path: Path, content: str | bytes, *, mode: int = PUBLIC_MODE) -> None:
    """Writes a file (text as UTF-8) as `whole_file` does. Raises DiskFull."""
    with whole_file(path, mode=mode) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def write_private(path: Path, content: str | bytes) -> None:
    """The same for a file that only its owner may read."""
    write_whole(path, content, mode=PRIVATE_MODE)


@contextmanager
def whole_file(path: Path, *, mode: int = PUBLIC_MODE) -> Iterator[Path]:
    """A file to write, which takes the name of `path` once it is whole and on the disk.

    Until then what stood there before stays, whoever else may be writing it too. Raises DiskFull.
    """
    _remove_left_over(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with disk_errors():
            os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode))
            yield unfinished
            _sync(unfinished)
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    with suppress(OSError):  # some network drives cannot sync a folder
        _sync(path.parent)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns a disk without room into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            "The disk is full. What was written so far is kept: free some space, then start the "
            "same again, and it goes on from there."
        ) from error


def private_folder(folder: Path) -> Path:
    """The folder, made if need be, with mode 0700.

    Raises BadInput if it is there already and others may look into it, or it cannot be made.
    """
    try:
        for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
            missing.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
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


def open_private(file: Path) -> int:
    """A file descriptor for reading and appending, of a file with mode 0600."""
    return os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)


def write_all(descriptor: int, content: bytes) -> None:
    """Writes all of it: one system call may take only a part. Raises DiskFull."""
    left = memoryview(content)
    with disk_errors():
        while left:
            left = left[os.write(descriptor, left) :]


def opened(path: Path) -> IO[bytes]:
    """A file for reading, unzipped if it is in gzip by its first bytes, whatever its name."""
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP)) == _GZIP
    return cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")


def sha256_of(path: Path) -> str:
    """The hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file a second name: as a link where the file system has any, else as a copy.

    A new file that later takes the name of `source` does not change `target`.
    """
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _remove_left_over(path: Path) -> None:
    """Deletes what processes that were killed left of this file: it may be gigabytes."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        process = left.name.split(".")[-2]
        if process.isdigit() and not _runs(int(process)):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
