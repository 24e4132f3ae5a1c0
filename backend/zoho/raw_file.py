"""One JSONL file of raw records: appended line by line, whole after any interruption.

A later line with an id replaces an earlier one; `{"id":…,"deleted":true}` says that Zoho no longer
has the record. How far a run got is read from the file itself, so no second note can disagree.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.system.files import (
    PRIVATE_MODE,
    open_private,
    private_folder,
    whole_file,
    write_all,
)

_ID = re.compile(rb'\{"id":"([^"\\]+)"')
_DELETED = b',"deleted":true}\n'
_SYNC_EVERY = 256


def raw_line(record_id: str, body: Mapping[str, Any] | None) -> bytes:
    """A record as its line; None means that Zoho no longer has it."""
    row = {"id": record_id, **({"deleted": True} if body is None else body)}
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"


class RawFile:
    """A JSONL file that one run at a time appends to."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        self.path = path
        self._descriptor = open_private(path)
        self._unsynced = 0

    def close(self) -> None:
        """Makes sure of the disk and lets go of the file."""
        self.sync()
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def append(self, line: bytes) -> None:
        """Adds one line. A crash leaves at most a part of it, which `recover` takes away."""
        write_all(self._descriptor, line)
        self._unsynced += 1
        if self._unsynced >= _SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Waits until the disk has everything."""
        os.fsync(self._descriptor)
        self._unsynced = 0

    def recover(self, start: int, ids: Sequence[str]) -> int:
        """How many of these ids have their line, in this order, from byte `start` on.

        Whatever follows the last good line is cut off: half a line, or what a power cut left.
        """
        start = good = min(start, self.size)
        done = 0
        with self.path.open("rb") as lines:
            lines.seek(start)
            for record_id in ids:
                line = lines.readline()
                found = _ID.match(line)
                whole = line.endswith(b"}\n") and b"\0" not in line
                if not whole or found is None or found[1] != record_id.encode():
                    break
                good += len(line)
                done += 1
        os.ftruncate(self._descriptor, good)
        return done

    def deleted_since(self, start: int) -> set[str]:
        """The ids whose line from byte `start` on says that they are deleted."""
        with self.path.open("rb") as lines:
            lines.seek(min(start, self.size))
            return {_id(line) for line in lines if line.endswith(_DELETED)}

    def compact(self, expired: Collection[str]) -> bool:
        """Deduplication: the last line of each id stays, no expired one. Whether it changed."""
        last: dict[str, int] = {}
        count = 0
        for count, line in enumerate(self._lines(), start=1):
            last[_id(line)] = count
        keep = {number for name, number in last.items() if name not in expired}
        if len(keep) == count:
            return False
        with whole_file(self.path, mode=PRIVATE_MODE) as fresh, fresh.open("wb") as kept:
            for number, line in enumerate(self._lines(), start=1):
                if number in keep:
                    kept.write(line)
        os.close(self._descriptor)
        self._descriptor = open_private(self.path)
        return True

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as lines:
            yield from lines


def _id(line: bytes) -> str:
    found = _ID.match(line)
    return found[1].decode() if found else ""
