"""A local Zoho as a process of its own, and a sign-in to it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.zoho.client import Api, Patience
from backend.zoho.connecting import Place, choose_organisation, connect
from backend.zoho.connection import ConnectionFile, Tokens
from backend.zoho.credits import Budget
from backend.zoho.data_centres import chosen_hosts
from backend.zoho.oauth import CRM, DESK, Client
from backend.zoho.sync import Limits, Report, Wish, alone, export_all, open_api
from tests.zoho.commands import connect as connect_by_command
from tests.zoho.local import CLIENT_ID, CLIENT_SECRET, LocalZoho, local_zoho
from tests.zoho.portal import Portal
from tests.zoho.raw_lines import Json, lines, read_lines

CLIENT = Client(CLIENT_ID, CLIENT_SECRET)
QUICK = Patience(first_seconds=0.01, longest_wait_seconds=2)
Export = Callable[..., Report]


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """oauthlib speaks to an http:// server, here on this machine only."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(scope="session")
def running_zoho() -> Iterator[LocalZoho]:
    with local_zoho(tickets=60, cases=40) as found:
        yield found


@pytest.fixture
def zoho(running_zoho: LocalZoho) -> LocalZoho:
    """The same process for all tests, as it was when it started."""
    running_zoho.reset()
    return running_zoho


def place_of(zoho: LocalZoho) -> Place:
    return Place("us", chosen_hosts("us", accounts=zoho.url, crm=zoho.url, desk=zoho.url))


def signed_in(zoho: LocalZoho, folder: Path, *scopes: str) -> ConnectionFile:
    """A sign-in with these scopes, all that exports need unless named."""
    file = ConnectionFile(folder)
    connect(zoho.grant(*(scopes or (*DESK, *CRM))), CLIENT, place_of(zoho), file=file)
    return file


@pytest.fixture
def file(zoho: LocalZoho, tmp_path: Path) -> ConnectionFile:
    found = signed_in(zoho, tmp_path / "zoho")
    choose_organisation(found)
    return found


def api_of(product: str, file: ConnectionFile, **limits: int) -> Api:
    budget = Budget(None, product, limit=limits.pop("credits", 0), leave=limits.pop("leave", 0))
    return open_api(
        product,
        tokens=Tokens(file),
        budget=budget,
        limits=Limits(patience=QUICK, **limits),
        stop=threading.Event(),
    )


@pytest.fixture
def desk(file: ConnectionFile) -> Api:
    return api_of("desk", file)


@pytest.fixture
def crm(file: ConnectionFile) -> Api:
    return api_of("crm", file)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def export(file: ConnectionFile, raw: Path) -> Export:
    """Exports into `raw`; named arguments are a Wish's or Limits'."""

    def run(product: str, since: str | None = None, department: str = "*", **limits: int) -> Report:
        api = api_of(product, file, **dict(limits))
        kept = {name: value for name, value in limits.items() if name not in ("credits", "leave")}
        with alone(raw):
            wish = Wish(product, since, department)
            return export_all(wish, api=api, folder=raw, limits=Limits(patience=QUICK, **kept))

    return run


WANTED = lines(Portal(tickets=60, cases=40))
FIRST, ARCHIVED = "22372000000212001", "22372000000219001"


def reads(zoho: LocalZoho, pattern: str) -> int:
    return sum(bool(re.search(pattern, path)) for path in zoho.seen()["paths"])


def rows(raw: Path, name: str) -> dict[str, Json]:
    """The lines of a file by id; each id once."""
    found = read_lines(raw / name)
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def connected(zoho: LocalZoho, state_dir: Path) -> Path:
    done = connect_by_command(zoho, state_dir)
    assert done.returncode == 0, done.stderr
    return state_dir
