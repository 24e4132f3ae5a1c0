"""Signing in to Zoho: codes for tokens, refreshes shared by processes, and what can be wrong."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from backend.domain.errors import BadInput, ZohoNotConnected, ZohoSignInFailed, ZohoUnreachable
from backend.services.connect_zoho import (
    Consent,
    choose_organisation,
    connect,
    connect_by_browser,
    exportable,
    kept_sign_in,
    sign_in_request,
)
from backend.zoho.connection import ConnectionFile
from backend.zoho.data_centres import (
    DATA_CENTRES,
    checked_crm,
    chosen_hosts,
    same_host,
    signed_in_at,
)
from backend.zoho.oauth import (
    CRM,
    DESK,
    CallbackServer,
    code_from_redirect,
    missing_scopes,
)
from tests.backend.zoho.conftest import request_of, signed_in
from tests.zoho.local import LocalZoho

US = DATA_CENTRES["us"]


def test_a_self_clients_code_becomes_a_private_sign_in(zoho: LocalZoho, tmp_path: Path) -> None:
    file = signed_in(zoho, tmp_path / "zoho")

    kept = file.read()

    assert set(kept.scopes) == {*DESK, *CRM}
    assert kept.hosts.desk == zoho.url
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.folder.stat().st_mode & 0o777 == 0o700
    assert choose_organisation(file.folder) == "Acme"
    assert file.read().org_id == "2389290"


@pytest.mark.parametrize(
    ("client", "code", "says"),
    [
        ({"client_id": "1000.OTHER"}, None, "another data centre: choose that one"),
        ({"client_secret": "wrong"}, None, "another secret in each data centre"),
        ({}, "1000.used.up", "used up, older than the 3 to 10 minutes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    zoho: LocalZoho, tmp_path: Path, client: dict[str, str], code: str | None, says: str
) -> None:
    folder = tmp_path / "zoho"

    with pytest.raises(ZohoSignInFailed, match=says):
        connect(code or zoho.grant(*DESK), request_of(zoho, **client), folder=folder)

    with pytest.raises(ZohoNotConnected, match="zoho connect"):
        ConnectionFile(folder).read()


def test_a_code_with_too_few_scopes_is_given_back(zoho: LocalZoho, tmp_path: Path) -> None:
    with pytest.raises(ZohoSignInFailed, match=r"grant Desk.tickets.READ,Desk.articles.READ"):
        signed_in(zoho, tmp_path / "zoho", "Desk.tickets.READ")

    assert [secret for secret in zoho.secrets() if "refresh" in secret] == []


def test_a_host_that_does_not_answer_is_named(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    request = sign_in_request(
        client_id="1000.X",
        client_secret="secret",
        data_centre="us",
        hosts={"accounts": nowhere},
        products=(),
    )

    with pytest.raises(ZohoUnreachable, match=rf"{nowhere} gave no usable answer.*--dc"):
        connect("code", request, folder=tmp_path / "zoho")


def test_a_browser_comes_back_with_a_code(zoho: LocalZoho, tmp_path: Path) -> None:
    request = replace(request_of(zoho), scopes=DESK)
    shown: list[str] = []

    def agree(consent: Consent) -> None:
        shown.append(consent.url)
        threading.Thread(target=lambda: requests.get(consent.url, timeout=10)).start()

    connect_by_browser(request, port=0, show=agree, folder=tmp_path / "zoho")

    assert "%2CDesk.articles.READ%2C" in shown[0]
    assert "access_type=offline" in shown[0]
    assert exportable(tmp_path / "zoho") == {"desk": "Zoho Desk"}
    assert kept_sign_in(tmp_path / "zoho").data_centre == "us"


def test_the_accounts_server_that_was_chosen_is_the_one_that_was_asked() -> None:
    assert signed_in_at("https://accounts.zoho.com", US) == ("", US)
    assert signed_in_at("", US) == ("", US)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("code=1&state=other", "its state differs"),
        ("code=1", "its state differs"),
        ("state=mine&error=access_denied", "declined"),
    ],
)
def test_what_another_page_sends_is_refused(query: str, says: str) -> None:
    with pytest.raises(ZohoSignInFailed, match=says):
        code_from_redirect(f"http://localhost:1/callback?{query}", state="mine")


def test_a_callback_nobody_comes_to_ends() -> None:
    callback = CallbackServer(0)

    with pytest.raises(ZohoUnreachable, match="No browser came back"):
        callback.wait(state="x", seconds=0.3)

    callback.close()


@pytest.mark.parametrize(
    "server",
    ["https://accounts.zoho.com.evil.example", "http://accounts.zoho.eu", "https://evil.example"],
)
def test_a_code_is_never_sent_to_a_server_that_is_not_zohos(server: str) -> None:
    with pytest.raises(ZohoSignInFailed, match="none of Zoho's"):
        signed_in_at(server, US)


def test_an_organisation_in_another_data_centre_is_followed_there() -> None:
    assert signed_in_at("https://accounts.zoho.eu", US) == ("eu", DATA_CENTRES["eu"])


@pytest.mark.parametrize("domain", ["https://www.zohoapis.com", "https://sandbox.zohoapis.com", ""])
def test_the_apis_address_in_the_token_is_taken_if_it_is_zohos(domain: str) -> None:
    assert checked_crm(domain, US) == (domain or "https://www.zohoapis.com")


@pytest.mark.parametrize("domain", ["https://www.zohoapis.eu", "https://zohoapis.com.evil.example"])
def test_the_apis_address_of_others_is_refused(domain: str) -> None:
    with pytest.raises(ZohoSignInFailed, match="--dc"):
        checked_crm(domain, US)


@pytest.mark.parametrize(
    "url",
    ["http://desk.zoho.com", "desk.zoho.com", "https://a@b.example", "https://a/b", "ftp://x"],
)
def test_an_address_that_is_no_host_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="no address of a Zoho host"):
        chosen_hosts("eu", desk=url)


def test_an_unknown_data_centre_is_refused() -> None:
    with pytest.raises(BadInput, match="Known: us, eu, in"):
        chosen_hosts("mars")


def test_hosts_are_compared_whole() -> None:
    assert same_host("https://desk.zoho.com/api/x", "https://desk.zoho.com/api/v1")
    assert not same_host("https://desk.zoho.com.evil.example/", "https://desk.zoho.com")
    assert not same_host("http://desk.zoho.com/", "https://desk.zoho.com")


def test_all_rights_cover_reading() -> None:
    granted = ["Desk.tickets.ALL", "Desk.articles.READ", "Desk.search.READ", "Desk.basic.READ"]

    assert missing_scopes(granted, "desk") == []
    assert missing_scopes(granted[1:], "desk") == ["Desk.tickets.READ"]


def test_a_newer_sign_in_ends_the_earlier_one(zoho: LocalZoho, file: ConnectionFile) -> None:
    earlier = file.read().refresh_token

    signed_in(zoho, file.folder)

    assert [secret for secret in zoho.secrets() if "refresh" in secret] == [
        file.read().refresh_token
    ]
    assert file.read().refresh_token != earlier


def test_a_sign_in_that_cannot_be_read_is_replaced(zoho: LocalZoho, file: ConnectionFile) -> None:
    file.path.write_text("{")

    signed_in(zoho, file.folder)

    assert file.read().refresh_token


def test_of_several_organisations_one_is_named(zoho: LocalZoho, file: ConnectionFile) -> None:
    zoho.rules(organisations={"2389290": "Acme", "5": "Other"})

    with pytest.raises(BadInput, match=r"Name one by --org: 2389290 \(Acme\), 5 \(Other\)"):
        choose_organisation(file.folder)
    with pytest.raises(BadInput, match="cannot see the Desk organisation 7, only: 2389290"):
        choose_organisation(file.folder, "7")

    assert choose_organisation(file.folder, "5") == "Other"
    assert file.read().org_id == "5"


def test_a_user_without_a_desk_is_told_so(zoho: LocalZoho, file: ConnectionFile) -> None:
    zoho.rules(organisations={})

    with pytest.raises(BadInput, match="sees no Desk organisation"):
        choose_organisation(file.folder)
