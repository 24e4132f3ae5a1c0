"""`suggest-answer zoho` as a person runs it, and that no secret shows anywhere."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

from backend.zoho.oauth import CRM, DESK
from tests.backend.zoho.conftest import WANTED
from tests.zoho.commands import command, connect, environment, hosts, raw, run
from tests.zoho.local import CLIENT_ID, CLIENT_SECRET, LocalZoho
from tests.zoho.raw_lines import read_lines


def test_connecting_says_what_it_can_do(zoho: LocalZoho, state_dir: Path) -> None:
    done = connect(zoho, state_dir)

    assert done.returncode == 0
    assert ",".join((*DESK, *CRM)) in done.stdout
    assert "Zoho Desk and Zoho CRM can be exported" in done.stdout


def test_the_secret_and_the_code_are_asked_for_unseen(zoho: LocalZoho, state_dir: Path) -> None:
    code = zoho.grant(*DESK)

    done = run(
        state_dir,
        *("connect", "--product", "desk", *hosts(zoho)),
        said=f"us\n{CLIENT_ID}\n{CLIENT_SECRET}\n{code}\n",
    )

    assert "Connected: Zoho Desk can be exported." in done.stdout
    assert code not in done.stdout + done.stderr
    assert CLIENT_SECRET not in done.stdout + done.stderr


def test_the_secret_can_come_from_a_file(zoho: LocalZoho, state_dir: Path, tmp_path: Path) -> None:
    kept = tmp_path / "secret"
    kept.write_text(CLIENT_SECRET + "\n", encoding="utf-8")
    arguments = ["--dc", "us", "--client-id", CLIENT_ID, "--secret-file", str(kept), *hosts(zoho)]

    done = run(state_dir, "connect", *arguments, ZOHO_CODE=zoho.grant(*DESK, *CRM))

    assert done.returncode == 0, done.stderr


def test_no_option_takes_a_secret() -> None:
    told = run(Path("/none"), "connect", "--help").stdout

    assert not re.search(r"--(client-)?(secret|code|token)\b(?!-file)", told)


def test_of_several_organisations_one_is_asked_for(zoho: LocalZoho, state_dir: Path) -> None:
    zoho.rules(organisations={"5": "Other", "2389290": "Acme"})
    arguments = ["connect", "--dc", "us", "--client-id", CLIENT_ID, *hosts(zoho)]
    given = {"ZOHO_CLIENT_SECRET": CLIENT_SECRET, "ZOHO_CODE": zoho.grant(*DESK)}

    done = run(state_dir, *arguments, said="2389290\n", **given)

    assert "5  Other\n2389290  Acme\n" in done.stdout
    assert "Desk organisation: Acme." in done.stdout


def test_a_full_disk_is_one_sentence_and_loses_nothing(zoho: LocalZoho, connected: Path) -> None:
    blocks = len(json.dumps(WANTED["desk/tickets.jsonl"]).encode()) // 2 // 1024  # half of them fit
    limited = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash"]

    done = subprocess.run(
        [*limited, *command(connected, "export", "--desk")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr.strip().startswith("The disk is full. What was read so far is kept")
    assert run(connected, "export", "--desk").returncode == 0
    for name in ("desk/articles.jsonl", "desk/tickets.jsonl"):
        assert read_lines(raw(connected) / name) == WANTED[name]


def test_a_wrong_secret_is_one_sentence(zoho: LocalZoho, state_dir: Path) -> None:
    arguments = ["connect", "--dc", "us", "--client-id", CLIENT_ID, *hosts(zoho)]

    done = run(state_dir, *arguments, ZOHO_CLIENT_SECRET="wrong", ZOHO_CODE=zoho.grant(*DESK))

    assert done.returncode == 1
    assert done.stderr.strip().startswith("The client secret is not this client's secret")
    assert "Traceback" not in done.stderr


def test_a_browser_signs_in(zoho: LocalZoho, state_dir: Path) -> None:
    arguments = ["connect", "--browser", "--redirect-port", "0", "--dc", "us"]
    with subprocess.Popen(
        [*command(state_dir, *arguments), "--client-id", CLIENT_ID, *hosts(zoho)],
        env=environment(ZOHO_CLIENT_SECRET=CLIENT_SECRET, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = next(line for line in process.stdout if line.startswith(zoho.url)).strip()

        page = requests.get(address, timeout=10)

        assert "You can close this page" in page.text
        assert "can be exported" in process.stdout.read()


def test_the_address_can_be_pasted(zoho: LocalZoho, state_dir: Path) -> None:
    arguments = ["connect", "--browser", "--paste", "--dc", "us", "--client-id", CLIENT_ID]

    done = run(
        state_dir,
        *(*arguments, *hosts(zoho)),
        said="http://localhost:8635/callback?code=1000.x&state=guessed\n",
        ZOHO_CLIENT_SECRET=CLIENT_SECRET,
    )

    assert done.returncode == 1
    assert "its state differs" in done.stderr


def test_status_tells_what_works(zoho: LocalZoho, connected: Path) -> None:
    done = run(connected, "status")

    assert "works  Zoho Desk answers: Acme" in done.stdout
    assert "works  Zoho CRM answers: Acme" in done.stdout
    assert "Desk.tickets.READ" in done.stdout
    assert "credits left today" in done.stdout


def test_status_tells_what_does_not(zoho: LocalZoho, state_dir: Path) -> None:
    arguments = ["connect", "--dc", "us", "--client-id", CLIENT_ID, *hosts(zoho)]
    given = {"ZOHO_CLIENT_SECRET": CLIENT_SECRET, "ZOHO_CODE": zoho.grant(*DESK)}
    assert run(state_dir, *arguments, **given).returncode == 0
    zoho.fault("error", r"/api/v1/tickets", status=403, times=-1)

    done = run(state_dir, "status")

    assert done.returncode == 1
    assert "fails  Zoho Desk does not give /api/v1/tickets" in done.stdout
    assert "fails  The sign-in lacks ZohoCRM.modules.cases.READ" in done.stdout


def test_disconnecting_ends_it(zoho: LocalZoho, connected: Path) -> None:
    assert "Revoked and deleted." in run(connected, "disconnect").stdout

    assert not list(connected.rglob("connection.json"))
    assert run(connected, "status").returncode == 1


def test_a_forecast_reads_nothing_and_shows_every_edition(zoho: LocalZoho, connected: Path) -> None:
    done = run(connected, "export", "--desk", "--crm", "--forecast")

    for edition in ("free", "express", "standard", "professional", "enterprise", "ultimate"):
        assert f"│ {edition} " in done.stdout
    assert not [path for path in zoho.seen()["paths"] if "/threads/" in path]
    assert not (raw(connected) / "desk/tickets.jsonl").exists()


def test_the_credits_of_a_day_are_kept_over_exports(zoho: LocalZoho, connected: Path) -> None:
    first = run(connected, "export", "--desk", "--credits", "400")
    second = run(connected, "export", "--desk", "--credits", "400")

    assert first.returncode == second.returncode == 1
    for done in (first, second):
        assert "The budget of 400 credits in 24 hours is spent" in done.stderr
    spent = 1_000_000 - zoho.seen()["credits_left"]
    assert spent <= 400 + 15
    assert run(connected, "export", "--desk").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export"], "Give --desk, --crm, or both"),
        (["export", "--desk", "--since", "soon"], "'soon' is no date"),
        (["export", "--desk", "--folder", "/"], "chmod 700"),
    ],
)
def test_what_cannot_be_right_is_refused(connected: Path, arguments: list[str], says: str) -> None:
    done = run(connected, *arguments)

    assert done.returncode == 2
    assert says in done.stderr


def test_without_a_sign_in_it_says_how_to_get_one(state_dir: Path) -> None:
    done = run(state_dir, "export", "--desk")

    assert done.returncode == 1
    assert done.stderr.strip() == "Zoho is not connected. Run `suggest-answer zoho connect`."


def _heed_ctrl_c() -> None:
    """A test run in the background of a shell ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_at_once_and_loses_nothing(zoho: LocalZoho, connected: Path) -> None:
    zoho.fault("slow", "/tickets/", times=-1, seconds=0.2)
    with subprocess.Popen(
        command(connected, "export", "--desk"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_ctrl_c,
    ) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("reading desk/tickets"))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""
    zoho.calm()

    assert "an interrupted export was finished first" in run(connected, "export", "--desk").stdout
    assert read_lines(raw(connected) / "desk/tickets.jsonl") == WANTED["desk/tickets.jsonl"]
