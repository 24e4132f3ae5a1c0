"""How set-up shows long commands, explains their failures and leaves nothing running."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import environment, llama_wheel, progress

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "set_up.log"


def test_a_command_that_worked_says_how_long_it_took(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.run("Greeting", ["sh", "-c", "echo hello"], log=log)

    assert capsys.readouterr().out == "  Greeting ...\n  Greeting: done in 0:00\n"
    assert "hello" in log.read_text()


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: NewConnectionError: refused", "could not be reached"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "The memory ran out"),
        ("ssl: CERTIFICATE_VERIFY_FAILED", "certificate of its own"),
        ("error: something new", "Look at the end of the log"),
    ],
)
def test_a_failure_says_what_to_do_next(log: Path, output: str, advice: str) -> None:
    command = ["sh", "-c", 'echo "$0"; exit 3', output]

    with pytest.raises(progress.SetUpFailedError) as failure:
        progress.run("Installing", command, log=log)

    assert advice in str(failure.value)
    assert output in str(failure.value)
    assert str(log) in str(failure.value)


def test_what_is_set_up_for_more_is_set_up_for_less() -> None:
    run, test, mutants = (environment.PARTS[name] for name in ("run", "test", "mutants"))

    assert mutants.covers(test)
    assert test.covers(run)
    assert not test.covers(mutants)
    assert not run.covers(test)


@pytest.mark.parametrize("command", ["run", "test"])
def test_help_installs_nothing(tmp_path: Path, command: str) -> None:
    shutil.copytree(CHECKOUT / "scripts", tmp_path / "scripts")
    before = sorted(tmp_path.rglob("*"))

    shown = subprocess.run(
        [tmp_path / "scripts" / command, "--help"], check=True, capture_output=True, text=True
    )

    assert "install what is missing" in shown.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_stopping_ends_the_command_and_its_children(tmp_path: Path, log: Path) -> None:
    children = tmp_path / "children"
    command = ["sh", "-c", f"sleep 60 & echo $! > {children}; wait"]
    program = (
        "import pathlib, signal, sys; from scripts import progress;"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1));"
        f"progress.run('Waiting', {command!r}, log=pathlib.Path({str(log)!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.read(1)  # it shows something once it watches over the command
    while not (children.exists() and children.read_text().strip()):
        time.sleep(0.02)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    deadline = time.monotonic() + 30
    while _runs(int(children.read_text())):  # it is killed, which takes a moment
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{process_id}/status").read_text()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  [41/83] /usr/bin/c++ -O3", "[#########           ] step 41 of 83"),
        ("[83/83] Linking", "[####################] step 83 of 83"),
        ("Preparing metadata (pyproject.toml)", ""),
    ],
)
def test_ninja_steps_become_a_bar(line: str, shown: str) -> None:
    assert llama_wheel.ninja_step(line) == shown
