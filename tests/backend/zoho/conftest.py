"""A local Zoho as a process of its own, and a sign-in to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.services.connect_zoho import (
    SignInRequest,
    choose_organisation,
    connect,
    sign_in_request,
)
from backend.services.export_zoho import open_export_api
from backend.zoho.client import Api, RetryPolicy
from backend.zoho.connection import ConnectionFile, Tokens
from backend.zoho.credits import Budget
from backend.zoho.oauth import CRM, DESK
from backend.zoho.sync import ExportReport, ExportRequest, Limits, export_all
from backend.zoho.sync_state import open_export_folder
from tests.zoho.commands import connect as connect_by_command
from tests.zoho.local import CLIENT_ID, CLIENT_SECRET, LocalZoho, local_zoho
from tests.zoho.portal import Portal
from tests.zoho.raw_lines import Json, lines, read_lines

QUICK = RetryPolicy(first_seconds=0.01, longest_wait_seconds=2)
Export = Callable[..., ExportReport]


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


def request_of(
    zoho: LocalZoho, *, client_id: str = CLIENT_ID, client_secret: str = CLIENT_SECRET
) -> SignInRequest:
    """A sign-in to be made at the local Zoho."""
    return sign_in_request(
        client_id=client_id,
        client_secret=client_secret,
        data_centre="us",
        hosts=dict.fromkeys(("accounts", "crm", "desk"), zoho.url),
        products=(),
    )


def signed_in(zoho: LocalZoho, folder: Path, *scopes: str) -> ConnectionFile:
    """A sign-in with these scopes, all that exports need unless named."""
    connect(zoho.grant(*(scopes or (*DESK, *CRM))), request_of(zoho), folder=folder)
    return ConnectionFile(folder)


@pytest.fixture
def file(zoho: LocalZoho, tmp_path: Path) -> ConnectionFile:
    found = signed_in(zoho, tmp_path / "zoho")
    choose_organisation(found.folder)
    return found


def api_of(product: str, file: ConnectionFile, *, credits: int = 0, leave: int = 0) -> Api:
    budget = Budget(product, limit=credits, leave=leave)
    limits = Limits(retry_policy=QUICK)
    return open_export_api(product, tokens=Tokens(file), budget=budget, limits=limits)


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
    """Exports into `raw`; named arguments are an ExportRequest's or Limits'."""

    def run(
        product: str, since: str | None = None, department: str = "*", **limits: int
    ) -> ExportReport:
        request = ExportRequest(product, since, department)
        with open_export_folder(raw) as folder:
            return export_all(
                request,
                api=api_of(product, file),
                folder=folder,
                limits=Limits(retry_policy=QUICK, **limits),
            )

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
