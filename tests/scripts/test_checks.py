"""The checks of scripts/test, with programs that only say that they were called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKS = Path(__file__).resolve().parents[2] / "scripts" / "checks"
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $* begins"
sleep 0.1
echo "$(basename "$0") $* ends"
case "$(basename "$0") $*" in {failing}) exit 1;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(CHECKS, tmp_path / "scripts" / "checks")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "lint-imports", "mypy", "npm", "python"):
        (programs / name).write_text(PROGRAM.format(failing="*test:browser*|mypy*"))
        (programs / name).chmod(0o755)
    return tmp_path


def run(checkout: Path, *arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [checkout / "scripts" / "checks", *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout.splitlines()


def test_every_check_is_run_and_counted_even_after_one_failed(checkout: Path) -> None:
    status, lines = run(checkout)

    rows = [tuple(line[:23].rsplit(maxsplit=1)) for line in lines if line.endswith(" s")]
    assert rows == [
        ("ruff check", "passed"),
        ("ruff format", "passed"),
        ("imports", "passed"),
        ("pytest", "passed"),
        ("mypy", "FAILED"),
        ("tsc", "passed"),
        ("node tests", "passed"),
        ("browser tests", "FAILED"),
    ]
    assert lines[-1] == "checks: 6 passed, 2 failed"
    assert status == 1


def test_what_runs_side_by_side_is_shown_in_one_piece(checkout: Path) -> None:
    _, lines = run(checkout)

    said = [line for line in lines if line.endswith((" begins", " ends"))]
    for begin, end in zip(said[::2], said[1::2], strict=True):
        assert begin.removesuffix(" begins") == end.removesuffix(" ends")


def test_arguments_choose_a_kind_or_are_pytests(checkout: Path) -> None:
    for arguments, asked in (
        (["-k", "rating"], "python -m pytest -k rating begins"),
        (["python", "tests/scripts"], "python -m pytest tests/scripts begins"),
        (["node", "a.mjs"], "npm --silent --prefix extension test -- a.mjs begins"),
    ):
        status, lines = run(checkout, *arguments)

        assert asked in lines
        assert (status, lines[-1]) == (0, "checks: 1 passed, 0 failed")
