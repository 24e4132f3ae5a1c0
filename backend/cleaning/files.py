"""Files of any size, zipped or not."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO, cast

_GZIP = b"\x1f\x8b"


def opened(path: Path) -> IO[bytes]:
    """A file for reading, unzipped if it is in gzip by its first bytes, whatever its name."""
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP)) == _GZIP
    return cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")
