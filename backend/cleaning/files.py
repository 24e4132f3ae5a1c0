"""Files of any size: read line by line, zipped or not, and known by their hash."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import IO, cast

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
