"""Which lines of an export count, and work done side by side."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from backend.domain.errors import BadInput, Unavailable
from backend.intake.raw_records import line_at, lines_that_count, raw_files
from backend.system.processes import cut, in_processes


def written(folder: Path, *lines: str) -> Path:
    path = folder / "tickets.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_the_last_line_of_an_id_counts_and_lines_go_by_id(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"id":"10","record":{"a":1}}\n',
        '{"id":"9","record":{"a":2}}\n',
        '{"id":"10","record":{"a":3}}\n',
        '{"id":"8","deleted":true}\n',
        '{"id":"7","record":{"a":4}}\n',
        '{"id": "7", "deleted": true}\n',
        '{"id":"8","record":{"a":5}}\n',
        '{"record":{"a":6},"id":"11"}\n',
        "\n",
        '{"id":"12","rec',
    )

    found = lines_that_count(path)

    assert found.ids == ("8", "9", "10", "11")
    assert found.gone == ("7",)
    values = [line.split(b'"a":')[1][:1] for line in line_at(path, found.places)]
    assert values == [b"5", b"2", b"3", b"6"]


def test_a_folder_without_exports_and_a_line_without_an_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no export folder"):
        raw_files(tmp_path, ("desk/tickets.jsonl",))
    with pytest.raises(BadInput, match="line 1, is no object with an id"):
        lines_that_count(written(tmp_path, '{"record":{}}\n'))
    with pytest.raises(BadInput, match="cannot be read"):
        lines_that_count(tmp_path / "nowhere.jsonl")


def slow_square(number: int) -> int:
    time.sleep(0.05 * (number % 3))
    return number * number


def gives_up(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuses(number: int) -> int:
    raise BadInput(f"{number} is wrong.")


def test_results_come_in_the_order_of_the_pieces() -> None:
    assert list(in_processes(slow_square, range(9), processes=2)) == [n * n for n in range(9)]
    assert list(in_processes(slow_square, range(3), processes=1)) == [0, 1, 4]
    assert list(cut(range(5), 2)) == [(0, 1), (2, 3), (4,)]


def test_a_killed_process_and_an_error_in_one_are_told() -> None:
    with pytest.raises(Unavailable, match="was killed"):
        list(in_processes(gives_up, range(8), processes=2))
    with pytest.raises(BadInput, match="0 is wrong"):
        list(in_processes(refuses, range(8), processes=2))
