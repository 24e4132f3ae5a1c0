"""No token and no secret shows: not in output, log, file, command line or traceback."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.zoho.commands import command, environment, run
from tests.zoho.local import CLIENT_SECRET, ROOT, LocalZoho


def secrets(zoho: LocalZoho) -> list[str]:
    return [CLIENT_SECRET, *zoho.secrets()]


def files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


def test_no_token_shows_anywhere(zoho: LocalZoho, connected: Path) -> None:
    """In no output, no log, no file but the sign-in's, no command line, no traceback."""
    zoho.rules(token_seconds=61)
    chatty = {"PYTHONUNBUFFERED": "1", "SUGGEST_ANSWER_LOG__LEVEL": "debug"}
    zoho.fault("expired", times=2)
    zoho.fault("drop", times=2)
    said = [run(connected, "export", "--desk", "--crm", **chatty), run(connected, "status")]
    zoho.fault("error", status=400, times=-1)
    said.append(run(connected, "export", "--desk", **chatty))
    zoho.calm()
    zoho.fault("slow", times=-1, seconds=0.05)
    lines = command_lines_of(connected)
    zoho.calm()
    shown = [text for done in said for text in (done.stdout, done.stderr)] + lines
    kept = [file for file in files(connected) if file.name != "connection.json"]

    for secret in secrets(zoho):
        assert not [text for text in shown if secret in text]
        assert not [file for file in kept if secret.encode() in file.read_bytes()]
    assert len(lines) > 3


def command_lines_of(state_dir: Path) -> list[str]:
    """What `ps` shows of an export and its threads while it runs, again and again."""
    found = []
    arguments = ("export", "--desk", "--since", "2000-01-01")
    with subprocess.Popen(
        command(state_dir, *arguments),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        for _ in range(10):
            time.sleep(0.1)
            found.append(Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8"))
        process.kill()
    return [line for line in found if "export" in line]


LOUD = """
import logging, sys, traceback
from pathlib import Path
logging.basicConfig(level=logging.DEBUG)
from backend.services.connect_zoho import check, disconnect
from backend.zoho.connection import ConnectionFile, Tokens
file = ConnectionFile(Path(sys.argv[1]))
tokens = Tokens(file)
print(repr(tokens.connection), repr(tokens.connection.client), tokens)
tokens.renew(tokens.connection.access_token)
print(check("desk", file.folder), check("crm", file.folder))
try:
    from dataclasses import replace
    away = replace(file.read(), hosts=replace(file.read().hosts, accounts="http://127.0.0.1:9"))
    file.write(away)
    disconnect(file.folder)
except Exception:
    traceback.print_exc()
"""


def test_loud_logging_and_tracebacks_show_no_token(zoho: LocalZoho, connected: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOUD, str(connected / "zoho")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )

    assert "Traceback" in done.stderr
    assert "ZohoUnreachable" in done.stderr
    for secret in secrets(zoho):
        assert secret not in done.stdout + done.stderr
