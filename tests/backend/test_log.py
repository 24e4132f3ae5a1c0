"""Logs: one JSON object a line from every process, never mixed, and no more than asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.privacy.placeholders import redact
from backend.settings import LogSettings, Settings
from backend.system import logging
from backend.system.logging import MAX_BYTES, rotate

WRITE = """
import os, sys
from backend.privacy.placeholders import redact
from backend.settings import read_settings
from backend.system.logging import start_log
settings = read_settings()
log = start_log(
    settings.log_file, level=settings.log.level, process=sys.argv[1], redact=redact
)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    log.info("line", number=number, long="x" * int(sys.argv[3]))
"""


def settings_of(state_dir: Path, **log: Any) -> Settings:
    return Settings(state_dir=state_dir, log=LogSettings(**log))


def start_log(settings: Settings, *, process: str) -> Any:
    return logging.start_log(
        settings.log_file, level=settings.log.level, process=process, redact=redact
    )


def log_file(settings: Settings) -> Path:
    file = settings.log_file
    assert file
    return file


def rows(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_file(settings).read_text("utf-8").splitlines()]


def test_a_line_says_when_who_what_and_how_bad(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    start_log(settings, process="worker").bind(model="m").warning("candidate_failed", problem="ї")

    (row,) = rows(settings)
    assert row.pop("timestamp").endswith("Z")
    assert row.pop("pid") > 0
    assert row == {
        "event": "candidate_failed",
        "level": "warning",
        "process": "worker",
        "model": "m",
        "problem": "ї",
    }


def test_an_event_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    log = start_log(settings, process="web")

    log.info("odd", text='two\nlines\r\u2028 "quoted"', path=tmp_path, half="\ud83d")
    try:
        raise ValueError("in\ntwo lines")
    except ValueError as error:
        log.error("worker_error", exc_info=error)

    lines = log_file(settings).read_bytes().splitlines()
    assert len(lines) == 2
    assert "ValueError: in\ntwo lines" in json.loads(lines[1])["exception"]


@pytest.mark.parametrize(
    ("level", "kept"),
    [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)],
)
def test_only_the_level_that_is_set_and_worse_is_kept(
    tmp_path: Path, level: str, kept: int
) -> None:
    settings = settings_of(tmp_path, level=level)
    log = start_log(settings, process="web")

    for write in (log.debug, log.info, log.warning, log.error):
        write("event")

    assert len(rows(settings)) == kept


def test_processes_that_write_at_once_do_not_mix_their_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE]
    environment = {"SUGGEST_ANSWER_STATE_DIR": str(tmp_path)}
    writers = [
        subprocess.Popen([*command, name, "60", "30000"], stdin=subprocess.PIPE, env=environment)
        for name in ("a", "b", "c")
    ]
    for writer in writers:
        writer.communicate(b"\n", timeout=30)

    found = rows(settings_of(tmp_path))

    assert len(found) == 180
    for name in ("a", "b", "c"):
        assert [row["number"] for row in found if row["process"] == name] == list(range(60))


def test_standard_error_can_take_the_log_instead(tmp_path: Path) -> None:
    environment = {
        "SUGGEST_ANSWER_STATE_DIR": str(tmp_path),
        "SUGGEST_ANSWER_LOG__TO": "stderr",
    }

    done = subprocess.run(
        [sys.executable, "-c", WRITE, "web", "2", "5"],
        input="\n",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert [json.loads(line)["number"] for line in done.stderr.splitlines()] == [0, 1]
    assert not (tmp_path / "log").exists()


def test_a_full_disk_loses_lines_but_ends_nothing(tmp_path: Path) -> None:
    log_file(settings_of(tmp_path)).parent.mkdir()
    log_file(settings_of(tmp_path)).symlink_to("/dev/full")

    start_log(settings_of(tmp_path), process="worker").error("disk_full")


def test_a_log_that_has_grown_large_is_put_aside_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    rotate(settings.log_folder)
    start_log(settings, process="web").info("small")
    rotate(settings.log_folder)
    assert len(rows(settings)) == 1

    with log_file(settings).open("ab") as file:
        file.truncate(MAX_BYTES + 1)
    rotate(settings.log_folder)

    assert not log_file(settings).exists()
    assert (tmp_path / "log" / "suggest-answer.jsonl.1").stat().st_size == MAX_BYTES + 1
    start_log(settings, process="web").info("new")
    assert [row["event"] for row in rows(settings)] == ["new"]
