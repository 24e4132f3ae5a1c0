"""Reads a GGUF's header without native code, so that a broken file never reaches a C++ parser.

Every count, length, type and offset is checked before it is used; llama.cpp's parser had heap
overflows in exactly these places. What is refused here is a superset of what it refuses. Format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from backend.domain.errors import NotAGguf

MAX_TENSORS = 65_536
MAX_KEYS = 65_536
MAX_ARRAY_ITEMS = 4_194_304
MAX_NAME_BYTES = 63
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 1_048_576
MAX_STRING_BYTES = 1_048_576
LARGEST = 2**63 - 1
STRING = 8
ARRAY = 9
FORMATS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
# ggml type -> (elements in a block, bytes of a block); types that no file may hold are absent
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18), 42: (64, 18),
}  # fmt: skip
Value = int | float | bool | str


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: name, shape, ggml type, offset and size in bytes in its section."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True)
class Header:
    """What a GGUF says about itself; arrays (the vocabulary) are checked but not kept."""

    version: int
    values: Mapping[str, Value]
    array_lengths: Mapping[str, int]
    tensors: tuple[Tensor, ...]
    file_bytes: int

    @property
    def architecture(self) -> str:
        """The name llama.cpp knows the architecture by, such as `llama`; empty if not said."""
        value = self.values.get("general.architecture", "")
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """A whole number of this architecture, such as `context_length`; 0 if not said."""
        value = self.values.get(f"{self.architecture}.{key}", 0)
        return value if isinstance(value, int) else 0

    @property
    def context_length(self) -> int:
        """The longest context the model was trained on, in tokens; 0 if not said."""
        return self.number("context_length")

    @property
    def chat_template(self) -> str | None:
        """The model's own chat template, if it has one."""
        value = self.values.get("tokenizer.chat_template")
        return value if isinstance(value, str) else None


def read_header(path: Path) -> Header:
    """The header of a GGUF whose every part was found to be sound. Raises NotAGguf otherwise."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < 24:
                raise NotAGguf(f"{path.name} is no GGUF: it has only {size} bytes.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return _read(Cursor(view, size, path.name))
    except OSError as error:
        raise NotAGguf(f"{path.name} cannot be read: {error.strerror}.") from error


def _read(cursor: Cursor) -> Header:
    if cursor.view[:4] != b"GGUF":
        raise cursor.refuse("it does not begin with the letters GGUF")
    cursor.skip(4)
    version = cursor.number("<I")
    if version not in (2, 3):
        raise cursor.refuse(f"its version is {version}, known are 2 and 3")
    tensor_count, key_count = cursor.number("<Q"), cursor.number("<Q")
    if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
        raise cursor.refuse(f"it claims {tensor_count} tensors and {key_count} keys")
    values, lengths = _read_keys(cursor, key_count)
    if values.get("split.count", 1) not in (0, 1):
        raise cursor.refuse("it is one part of a split model; merge it with llama-gguf-split")
    alignment = _alignment(cursor, values)
    tensors = _read_tensors(cursor, tensor_count)
    _check_places(cursor, tensors, alignment)
    return Header(
        version=version,
        values=MappingProxyType(values),
        array_lengths=MappingProxyType(lengths),
        tensors=tensors,
        file_bytes=cursor.size,
    )


def _read_keys(cursor: Cursor, count: int) -> tuple[dict[str, Value], dict[str, int]]:
    values: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(count):
        key = cursor.text()
        if not key:
            raise cursor.refuse("a key is empty")
        if key in values or key in lengths:
            raise cursor.refuse(f"the key {key[:80]!r} stands in it twice")
        kind = cursor.number("<I")
        if kind == ARRAY:
            lengths[key] = _skip_array(cursor, key)
        elif kind == STRING:
            values[key] = cursor.text()
        elif kind in FORMATS:
            values[key] = cursor.value(kind)
        else:
            raise cursor.refuse(f"the value of {key[:80]!r} has the unknown type {kind}")
    return values, lengths


def _skip_array(cursor: Cursor, key: str) -> int:
    """Walk over an array; its length. Arrays of arrays do not occur in models and are refused."""
    kind, count = cursor.number("<I"), cursor.number("<Q")
    if count > MAX_ARRAY_ITEMS:
        raise cursor.refuse(f"the array {key[:80]!r} claims {count} items")
    if kind == STRING:
        for _ in range(count):
            cursor.skip(cursor.text_length())
    elif kind in FORMATS:
        cursor.skip(count * struct.calcsize(FORMATS[kind]))
    else:
        raise cursor.refuse(f"the array {key[:80]!r} has items of the type {kind}")
    return count


def _alignment(cursor: Cursor, values: Mapping[str, Value]) -> int:
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or isinstance(alignment, bool):
        raise cursor.refuse("its alignment is no whole number")
    if not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise cursor.refuse(f"its alignment {alignment} is no power of two")
    return alignment


def _read_tensors(cursor: Cursor, count: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    for _ in range(count):
        tensor = _read_tensor(cursor)
        if tensor.name in tensors:
            raise cursor.refuse(f"the tensor {tensor.name!r} stands in it twice")
        tensors[tensor.name] = tensor
    return tuple(tensors.values())


def _read_tensor(cursor: Cursor) -> Tensor:
    name = cursor.text()
    if not 0 < len(name.encode()) <= MAX_NAME_BYTES:
        raise cursor.refuse(f"a tensor's name has {len(name)} characters")
    dimensions = cursor.number("<I")
    if dimensions > MAX_DIMENSIONS:
        raise cursor.refuse(f"the tensor {name!r} has {dimensions} dimensions")
    shape = tuple(cursor.number("<Q") for _ in range(dimensions))
    kind, offset = cursor.number("<I"), cursor.number("<Q")
    return Tensor(name, shape, kind, offset, _size(cursor, name, shape, kind))


def _size(cursor: Cursor, name: str, shape: tuple[int, ...], kind: int) -> int:
    """The bytes of a tensor. Python's whole numbers do not overflow; C's would, so it is asked."""
    if kind not in BLOCKS:
        raise cursor.refuse(f"the tensor {name!r} has the unknown type {kind}")
    elements, block_bytes = 1, BLOCKS[kind][1]
    for length in shape:
        elements *= length
        if length > LARGEST or elements > LARGEST:
            raise cursor.refuse(f"the shape of the tensor {name!r} is too large to count")
    if shape and shape[0] % BLOCKS[kind][0]:
        raise cursor.refuse(f"the rows of the tensor {name!r} are not whole blocks of its type")
    return elements // BLOCKS[kind][0] * block_bytes


def _check_places(cursor: Cursor, tensors: tuple[Tensor, ...], alignment: int) -> None:
    """The tensors follow one another, padded to the alignment, and end within the file."""
    section = -(-cursor.at // alignment) * alignment
    expected = 0
    for tensor in tensors:
        if tensor.offset != expected:
            raise cursor.refuse(f"the tensor {tensor.name!r} does not lie where it should")
        if section + tensor.offset + tensor.size > cursor.size:
            raise cursor.refuse(f"the tensor {tensor.name!r} ends behind the end of the file")
        expected += -(-tensor.size // alignment) * alignment


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
