"""Broken files, made by hand byte by byte, as llama.cpp's own tests do."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from backend.domain.errors import NotAGguf
from backend.runner.gguf_header import read_header

U8, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10
FLOAT, Q4_K = 0, 12


def text(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(value) if length is None else length) + value


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + items


def tensor(
    name: bytes = b"t",
    shape: tuple[int, ...] = (8,),
    kind: int = FLOAT,
    offset: int = 0,
    dimensions: int | None = None,
) -> bytes:
    counts = struct.pack("<I", len(shape) if dimensions is None else dimensions)
    lengths = b"".join(struct.pack("<Q", length) for length in shape)
    return text(name) + counts + lengths + struct.pack("<IQ", kind, offset)


def gguf(
    *parts: bytes,
    keys: int = 0,
    tensors: int = 0,
    version: int = 3,
    magic: bytes = b"GGUF",
    content: int = 64,
) -> bytes:
    head = magic + struct.pack("<IQQ", version, tensors, keys) + b"".join(parts)
    return head + bytes(-len(head) % 32 + content)


SOUND_KEY = key(b"general.architecture", STRING, text(b"llama"))
ALIGNMENT = b"general.alignment"

BROKEN = {
    "empty": (b"", "only 0 bytes"),
    "shorter than a header": (b"GGUF\x03\0\0\0", "only 8 bytes"),
    "bad magic": (gguf(magic=b"GGML"), "letters GGUF"),
    "a zip (pickle) file": (gguf(magic=b"PK\x03\x04"), "letters GGUF"),
    "version 0": (gguf(version=0), "version is 0"),
    "version 1": (gguf(version=1), "version is 1"),
    "version of the future": (gguf(version=4), "version is 4"),
    "other byte order": (gguf(version=0x03000000), "version is"),
    "too many tensors": (gguf(tensors=2**61), "claims"),
    "too many keys": (gguf(keys=2**61), "claims"),
    "more keys than there are": (gguf(SOUND_KEY, keys=9, content=0), "a key is empty|ends at"),
    "key of exabytes": (gguf(text(b"k", 2**63), keys=1), "a text of"),
    "key over 1 MB": (gguf(text(b"k", 1_048_577), keys=1), "a text of"),
    "key longer than the file": (gguf(text(b"k", 5000), keys=1), "ends at byte"),
    "empty key": (gguf(key(b"", U8, b"\1"), keys=1), "a key is empty"),
    "key twice": (gguf(SOUND_KEY, SOUND_KEY, keys=2), "twice"),
    "value of unknown type": (gguf(key(b"k", 99, b"\0" * 8), keys=1), "unknown type 99"),
    "value longer than the file": (gguf(key(b"k", STRING, text(b"", 4000)), keys=1), "ends at"),
    "array of exabytes": (gguf(key(b"k", ARRAY, array(U64, 2**61)), keys=1), "items"),
    "array longer than the file": (gguf(key(b"k", ARRAY, array(U64, 9000)), keys=1), "ends at"),
    "array of arrays": (gguf(key(b"k", ARRAY, array(ARRAY, 1)), keys=1), "items of the type"),
    "texts longer than the file": (
        gguf(key(b"k", ARRAY, array(STRING, 1, text(b"", 4000))), keys=1),
        "ends at",
    ),
    "alignment 0": (gguf(key(ALIGNMENT, U32, struct.pack("<I", 0)), keys=1), "power of two"),
    "alignment 13": (gguf(key(ALIGNMENT, U32, struct.pack("<I", 13)), keys=1), "power of two"),
    "alignment a float": (gguf(key(ALIGNMENT, F32, b"\0\0\0\x42"), keys=1), "whole number"),
    "part of a split": (gguf(key(b"split.count", U8, b"\3"), keys=1), "split model"),
    "tensor name too long": (gguf(tensor(b"n" * 64), tensors=1), "64 characters"),
    "tensor name missing": (gguf(tensor(b""), tensors=1), "0 characters"),
    "tensor of 5 dimensions": (gguf(tensor(shape=(1,) * 5), tensors=1), "5 dimensions"),
    "tensor of 2^32 - 1 dimensions": (
        gguf(tensor(dimensions=2**32 - 1), tensors=1),
        "dimensions",
    ),
    "negative dimension": (gguf(tensor(shape=(2**64 - 1,)), tensors=1), "too large"),
    "product of dimensions wraps": (
        gguf(tensor(shape=(2**32, 2**32)), tensors=1),
        "too large",
    ),
    "size in bytes wraps": (gguf(tensor(shape=(2**62,)), tensors=1), "behind the end"),
    "size wraps when padded": (gguf(tensor(shape=(2**63 - 1,), kind=24), tensors=1), "behind"),
    "tensor of unknown type": (gguf(tensor(kind=43), tensors=1), "unknown type 43"),
    "tensor of removed type": (gguf(tensor(kind=4), tensors=1), "unknown type 4"),
    "rows of half blocks": (gguf(tensor(shape=(100,), kind=Q4_K), tensors=1), "whole blocks"),
    "tensor twice": (gguf(tensor(), tensor(offset=32), tensors=2), "twice"),
    "offset behind the file": (gguf(tensor(offset=2**40), tensors=1), "lie where"),
    "offset wraps": (gguf(tensor(offset=2**64 - 32), tensors=1), "lie where"),
    "tensors overlap": (gguf(tensor(), tensor(b"u"), tensors=2), "lie where"),
    "content missing": (gguf(tensor(shape=(64,)), tensors=1), "behind the end"),
    "more tensors than there are": (gguf(tensor(), tensors=3, content=0), "ends at|characters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    content, why = BROKEN[name]
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)

    with pytest.raises(NotAGguf, match=why) as refused:
        read_header(path)

    assert str(refused.value).endswith(".")


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sound.gguf"
    keys = [
        SOUND_KEY,
        key(b"llama.context_length", U32, struct.pack("<I", 4096)),
        key(b"tokenizer.ggml.tokens", ARRAY, array(STRING, 2, text(b"a") + text("ї".encode()))),
        key(b"tokenizer.chat_template", STRING, text(b"{{ messages }}")),
        key(ALIGNMENT, U32, struct.pack("<I", 64)),
    ]
    head = gguf(*keys, tensor(shape=(8,)), tensors=1, keys=5, content=0)
    path.write_bytes(head + bytes(-len(head) % 64 + 64))

    header = read_header(path)

    assert (header.architecture, header.context_length) == ("llama", 4096)
    assert header.array_lengths == {"tokenizer.ggml.tokens": 2}
    assert header.chat_template == "{{ messages }}"
    assert [(t.name, t.shape, t.size) for t in header.tensors] == [("t", (8,), 32)]


def test_what_the_gguf_package_writes_is_read(tiny_gguf: Path) -> None:
    header = read_header(tiny_gguf)

    assert header.context_length == 512
    assert len(header.tensors) == 12
    assert header.number("attention.head_count") == 2


@pytest.mark.parametrize("step", [997])
def test_a_file_cut_anywhere_is_refused(tiny_gguf: Path, tmp_path: Path, step: int) -> None:
    content = tiny_gguf.read_bytes()
    path = tmp_path / "cut.gguf"
    for length in range(0, len(content) - 64, step):
        path.write_bytes(content[:length])
        with pytest.raises(NotAGguf):
            read_header(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAGguf, match="cannot be read"):
        read_header(tmp_path / "none.gguf")
