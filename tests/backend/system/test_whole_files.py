"""A file is there whole or not at all: on a full disk, after a kill, beside another writer."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from backend.system.files import link_or_copy, whole_file, write_private, write_whole

FULL = """
import resource, sys
from pathlib import Path
from backend.system.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_whole(Path(sys.argv[1]), "x" * 2000)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from backend.system.files import whole_file
with whole_file(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_file_that_finds_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, "слово\n")

    ended = run(FULL, path)

    assert "DiskFull: The disk is full." in ended.stderr
    assert path.read_text(encoding="utf-8") == "слово\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_takes_its_rest_away(
    tmp_path: Path,
) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, "old")

    assert run(KILLED, path).returncode == -signal.SIGKILL
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 2)

    write_whole(path, "new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("new", [path])


def test_what_another_running_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    others = tmp_path / f".kept.json.{os.getppid()}.part"
    others.write_text("half")

    write_whole(tmp_path / "kept.json", "new")

    assert others.read_text() == "half"


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "a") as unfinished:
            unfinished.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_private_file_is_its_owners_even_where_it_was_open_before(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_whole(path, "old")

    write_private(path, "new")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "new"


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "kept", b"\xff\r\n")

    assert (tmp_path / "kept").read_bytes() == b"\xff\r\n"


def test_a_second_name_is_a_link_or_else_a_copy(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_whole(source, "old")
    with TemporaryDirectory(dir="/dev/shm") as other_disk:
        near, far = tmp_path / "near", Path(other_disk) / "far"
        for target in (near, far):
            target.write_text("to be replaced")
            link_or_copy(source, target)
        write_whole(source, "new")

        assert [near.read_text(), far.read_text()] == ["old", "old"]
        assert far.stat().st_dev != source.stat().st_dev
