"""The command line: help for strangers, one sentence for errors, and its exit statuses."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.cli.ask import read_ticket
from backend.cli.shared import is_serving
from backend.domain.errors import BadInput, EmptyTicket, TooLarge
from backend.settings import Settings
from backend.store.models import active_models
from backend.system.database import connect

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `suggest-answer` on a state directory of the test's own."""

    def command(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "backend", "--state-dir", str(tmp_path), *arguments],
            input=said,
            env={**os.environ, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return command


def test_a_stranger_is_told_what_each_command_is_for(run: Run) -> None:
    told = run("--help")

    assert told.returncode == 0
    for command in ("serve", "ask", "import", "models", "report", "export", "settings"):
        assert f"\n  {command} " in told.stdout


def test_the_version_is_told(run: Run) -> None:
    told = run("--version")

    assert (told.returncode, told.stderr) == (0, "")
    assert metadata.version("suggest-answer") in told.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["models", "activate", "m"], 1, "There is no model 'm'. Registered: none yet."),
        (["models", "add", "/none.gguf"], 1, "/none.gguf is no file."),
        (["models", "add-chat", "m", "ftp://x"], 2, "'ftp://x' is no base URL."),
        (["ask", "/none.txt"], 2, "/none.txt cannot be read: No such file or directory."),
        (["ask"], 2, "The ticket has no text."),
        (["--settings-file", "/none.toml", "settings"], 2, "names /none.toml, which is no file"),
        (["serve", "--host", "0.0.0.0", "--port", "0"], 2, "Set web.agent_key and web.admin_key"),
        (["models", "ad"], 2, "No such command 'ad'"),
        (["ask", "--mode", "x"], 2, "No such option"),
    ],
)
def test_an_error_is_one_sentence_and_a_status(
    run: Run, arguments: list[str], status: int, says: str
) -> None:
    ended = run(*arguments)

    assert (ended.returncode, ended.stdout) == (status, "")
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_is_none_is_a_sentence_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "suggest-answer.db").write_text("no database " * 100)

    ended = run("models", "list")

    assert ended.returncode == 1
    assert "is no SQLite database. Move it away" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_models_are_added_listed_and_taken_out(run: Run, tmp_path: Path) -> None:
    added = run("models", "add-chat", "gpt", "http://127.0.0.1:1/v1", "--key-variable", "MY_KEY")
    assert "Added gpt at http://127.0.0.1:1/v1. Next:" in added.stdout
    assert "MY_KEY is not set here. `serve` needs it" in added.stdout
    known = run("models", "add-chat", "b", "http://127.0.0.1:1/v1", "--key-variable", "PATH")
    assert "is not set here" not in known.stdout
    assert run("models", "activate", "gpt").stdout == "gpt is active.\n"

    listed = run("models", "list").stdout

    assert "gpt" in listed
    assert "remote" in listed
    db = connect(tmp_path / "suggest-answer.db")
    assert active_models(db) == ["gpt"]
    db.conn.close()


def test_a_ticket_is_answered_in_the_terminal_with_no_product_running(
    run: Run, tmp_path: Path
) -> None:
    run("models", "add-nearest")
    tickets = tmp_path / "tickets.jsonl"
    question = "I forgot my password and cannot log in any more."
    row = {"id": "1", "subject": "Log in", "question": question, "answer": "Click Forgot."}
    tickets.write_text(json.dumps(row) + "\n")
    assert run("import", "--tickets", str(tickets)).returncode == 0

    ended = run("ask", "--json", "--names", "-", said=f"Subject: Log in\n{question}")

    assert ended.returncode == 0, ended.stderr
    (candidate,) = json.loads(ended.stdout)["candidates"]
    assert (candidate["model"], candidate["state"]) == ("nearest", "done")
    assert candidate["text"] == "Click Forgot."
    assert not is_serving(Settings(state_dir=tmp_path))


@pytest.mark.parametrize(
    ("written", "subject", "text"),
    [
        ("Where?\n", "", "Where?\n"),
        ("Subject: Invoice\nWhere?", "Invoice", "Where?"),
        ("subject:Invoice", "Invoice", ""),
        ("The subject: none", "", "The subject: none"),
        ('{"subject": "Invoice", "question": "Where?", "id": 7}', "Invoice", "Where?"),
        ('\n {"text": "Where?", "subject": null}', "", "Where?"),
        ("\ufeffSubject: Invoice\nWhere?", "Invoice", "Where?"),
    ],
)
def test_a_ticket_is_text_or_json(tmp_path: Path, written: str, subject: str, text: str) -> None:
    file = tmp_path / "ticket"
    file.write_text(written, encoding="utf-8")

    ticket = read_ticket(file)

    assert (ticket.subject, ticket.text) == (subject, text)


@pytest.mark.parametrize(
    ("written", "kind", "says"),
    [
        (b"", EmptyTicket, "no text"),
        (b"{}", EmptyTicket, "no text"),
        (b'{"text": ', BadInput, "begins like JSON but is none"),
        (b"caf\xe9", BadInput, "is no UTF-8 text"),
        (b"x" * 256_001, TooLarge, "256,000 are accepted"),
        ("ї".encode() * 400_000, TooLarge, "256,000 are accepted"),
        (b"x" + "ї".encode() * 400_000, TooLarge, "256,000 are accepted"),
        (b'{"text": "\\ud83d a"}', BadInput, "half of a character"),
    ],
    ids=["empty", "empty JSON", "half JSON", "latin-1", "large", "huge", "huge, odd", "surrogate"],
)
def test_a_file_that_is_no_ticket_is_refused(
    tmp_path: Path, written: bytes, kind: type[BadInput], says: str
) -> None:
    file = tmp_path / "ticket"
    file.write_bytes(written)

    with pytest.raises(kind, match=says):
        read_ticket(file)


def test_a_folder_is_no_ticket(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        read_ticket(tmp_path)


def test_whether_the_product_runs_is_asked_of_its_lock(tmp_path: Path, db: Database) -> None:
    settings = Settings(state_dir=tmp_path)
    assert not is_serving(settings)

    with (tmp_path / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_serving(settings)
    assert not is_serving(settings)
