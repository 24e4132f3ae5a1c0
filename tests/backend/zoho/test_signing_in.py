"""Signing in to Zoho: codes for tokens, refreshes shared by processes, and what can be wrong."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import requests

from backend.domain.errors import BadInput, ZohoNotConnected, ZohoSignInFailed, ZohoUnreachable
from backend.zoho.connecting import Place, choose_organisation, connect
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
    Callback,
    Client,
    consent_address,
    missing,
    products,
    returned,
)
from tests.backend.zoho.conftest import CLIENT, place_of, signed_in
from tests.zoho.local import LocalZoho

US = DATA_CENTRES["us"]


def test_a_self_clients_code_becomes_a_private_sign_in(zoho: LocalZoho, tmp_path: Path) -> None:
    file = signed_in(zoho, tmp_path / "zoho")

    kept = file.read()

    assert set(kept.scopes) == {*DESK, *CRM}
    assert kept.hosts.desk == zoho.url
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.folder.stat().st_mode & 0o777 == 0o700
    assert choose_organisation(file) == "Acme"
    assert file.read().org_id == "2389290"


@pytest.mark.parametrize(
    ("client", "code", "says"),
    [
        (Client("1000.OTHER", CLIENT.secret), None, "another data centre: choose that one"),
        (Client(CLIENT.id, "wrong"), None, "another secret in each data centre"),
        (CLIENT, "1000.used.up", "used up, older than the 3 to 10 minutes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    zoho: LocalZoho, tmp_path: Path, client: Client, code: str | None, says: str
) -> None:
    file = ConnectionFile(tmp_path / "zoho")

    with pytest.raises(ZohoSignInFailed, match=says):
        connect(code or zoho.grant(*DESK), client, place_of(zoho), file=file)

    with pytest.raises(ZohoNotConnected, match="zoho connect"):
        file.read()


def test_a_code_with_too_few_scopes_is_given_back(zoho: LocalZoho, tmp_path: Path) -> None:
    with pytest.raises(ZohoSignInFailed, match=r"grant Desk.tickets.READ,Desk.articles.READ"):
        signed_in(zoho, tmp_path / "zoho", "Desk.tickets.READ")

    assert [one for one in zoho.secrets() if "refresh" in one] == []


def test_a_host_that_does_not_answer_is_named(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    place = Place("us", chosen_hosts("us", accounts=nowhere))

    with pytest.raises(ZohoUnreachable, match=rf"{nowhere} gave no usable answer.*--dc"):
        connect("code", CLIENT, place, file=ConnectionFile(tmp_path / "zoho"))


def test_a_browser_comes_back_with_a_code(zoho: LocalZoho, tmp_path: Path) -> None:
    callback = Callback(0)
    address = consent_address(
        CLIENT.id,
        place_of(zoho).hosts,
        scopes=DESK,
        redirect_uri=callback.redirect_uri,
        state="state-1",
    )
    browser = threading.Thread(target=lambda: requests.get(address, timeout=10))
    browser.start()

    back = callback.wait(state="state-1", seconds=10)
    browser.join()
    callback.close()

    assert "%2CDesk.articles.READ%2C" in address
    assert "access_type=offline" in address
    assert signed_in_at(back.accounts_server, place_of(zoho).hosts) == ("", place_of(zoho).hosts)
    file = ConnectionFile(tmp_path / "zoho")
    connect(back.code, CLIENT, place_of(zoho), file=file, redirect_uri=callback.redirect_uri)
    assert products(file.read().scopes) == ["desk"]


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
        returned(f"http://localhost:1/callback?{query}", state="mine")


def test_a_callback_nobody_comes_to_ends() -> None:
    callback = Callback(0)

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

    assert missing(granted, "desk") == []
    assert missing(granted[1:], "desk") == ["Desk.tickets.READ"]


def test_a_newer_sign_in_ends_the_earlier_one(zoho: LocalZoho, file: ConnectionFile) -> None:
    earlier = file.read().refresh_token

    signed_in(zoho, file.folder)

    assert [one for one in zoho.secrets() if "refresh" in one] == [file.read().refresh_token]
    assert file.read().refresh_token != earlier


def test_a_sign_in_that_cannot_be_read_is_replaced(zoho: LocalZoho, file: ConnectionFile) -> None:
    file.path.write_text("{")

    signed_in(zoho, file.folder)

    assert file.read().refresh_token


def test_of_several_organisations_one_is_named(zoho: LocalZoho, file: ConnectionFile) -> None:
    zoho.rules(organisations={"2389290": "Acme", "5": "Other"})

    with pytest.raises(BadInput, match=r"Name one by --org: 2389290 \(Acme\), 5 \(Other\)"):
        choose_organisation(file)
    with pytest.raises(BadInput, match="cannot see the Desk organisation 7, only: 2389290"):
        choose_organisation(file, "7")

    assert choose_organisation(file, "5") == "Other"
    assert file.read().org_id == "5"


def test_a_user_without_a_desk_is_told_so(zoho: LocalZoho, file: ConnectionFile) -> None:
    zoho.rules(organisations={})

    with pytest.raises(BadInput, match="sees no Desk organisation"):
        choose_organisation(file)
