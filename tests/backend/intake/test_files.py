"""Files are read zipped or not, and known by their hash."""

from __future__ import annotations

import gzip
from pathlib import Path

from backend.system.files import opened, sha256_of


def test_zipped_or_not_is_told_by_the_bytes_and_not_by_the_name(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "a.gz", tmp_path / "b.jsonl"
    plain.write_bytes(b"one\ntwo\n")
    zipped.write_bytes(gzip.compress(b"one\ntwo\n"))

    for path in (plain, zipped):
        with opened(path) as file:
            assert list(file) == [b"one\n", b"two\n"]


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    with opened(tmp_path / "empty") as file:
        assert file.read() == b""


def test_a_file_is_known_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")

    assert sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea")
