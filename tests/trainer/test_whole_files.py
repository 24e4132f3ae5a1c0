"""A disk without room leaves what was there before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from backend.system.files import link_or_copy, write_whole

FULL = """
import resource, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from backend.system.files import link_or_copy, write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_whole(Path(sys.argv[1]), "x" * 2000)
"""


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, "слово\n")

    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False
    )

    assert "File too large" in ended.stderr
    assert path.read_text(encoding="utf-8") == "слово\n"
    assert list(tmp_path.iterdir()) == [path]


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
