"""A place in a GGUF from which numbers and texts are read, never beyond the file's end."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field

from backend.domain.errors import NotAGguf

Value = int | float | bool | str

MAX_STRING_BYTES = 1_048_576

STRING = 8
FORMATS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip


@dataclass
class Cursor:
    """A place in the file from which nothing can be read beyond its end."""

    view: mmap.mmap
    size: int
    name: str
    at: int = field(default=0)

    def refuse(self, why: str) -> NotAGguf:
        """The error that says why the file is not read further."""
        return NotAGguf(
            f"{self.name} is no GGUF that can be trusted: {why}. Download or export it again."
        )

    def skip(self, count: int) -> int:
        """Move on by `count` bytes; where they began. Refuses to pass the end of the file."""
        start = self.at
        if count > self.size - start:
            raise self.refuse(f"it ends at byte {self.size}, inside its header")
        self.at = start + count
        return start

    def number(self, form: str) -> int:
        """The next whole number, in a format of `struct`."""
        start = self.skip(struct.calcsize(form))
        (value,) = struct.unpack_from(form, self.view, start)
        return int(value)

    def value(self, kind: int) -> Value:
        """The next value of a GGUF type that is neither a text nor an array."""
        start = self.skip(struct.calcsize(FORMATS[kind]))
        (value,) = struct.unpack_from(FORMATS[kind], self.view, start)
        result: Value = value
        return result

    def text_length(self) -> int:
        """The length of the next text, in bytes."""
        length = self.number("<Q")
        if length > MAX_STRING_BYTES:
            raise self.refuse(f"a text of {length} bytes stands in its header")
        return length

    def text(self) -> str:
        """The next text; bytes that are no UTF-8 become U+FFFD."""
        length = self.text_length()
        start = self.skip(length)
        return self.view[start : start + length].decode("utf-8", errors="replace")
