"""One call to Zoho: every status it can answer with, and every way an answer can fail to come."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.domain.errors import (
    CreditsSpent,
    ZohoError,
    ZohoForbidden,
    ZohoNotFound,
    ZohoSignInFailed,
    ZohoThrottled,
    ZohoUnreachable,
)
from backend.zoho.client import Api
from backend.zoho.connection import ConnectionFile
from backend.zoho.oauth import CRM, DESK
from tests.backend.zoho.conftest import api_of, signed_in
from tests.zoho.local import LocalZoho

TICKET = "tickets/22372000000212001"


def paths(zoho: LocalZoho) -> list[str]:
    return [path for path in zoho.seen()["paths"] if "organizations" not in path]


def test_an_answer_is_json_with_zohos_clock(desk: Api) -> None:
    answer = desk.get(TICKET)

    assert answer.body["id"] == "22372000000212001"
    assert abs(answer.sent_at - time.time()) < 5


def test_an_empty_list_is_nothing(desk: Api) -> None:
    assert desk.get("tickets/search", {"email": "no@one.example", "id": "1"}).body is None


def test_nothing_new_since_is_nothing(crm: Api) -> None:
    since = {"If-Modified-Since": "2031-01-01T00:00:00+00:00"}

    assert crm.get("Cases", {"fields": "Subject"}, headers=since).body is None


@pytest.mark.parametrize("kind", ["drop", "cut", "not_json", "error", "busy"])
def test_what_fails_twice_is_tried_again(zoho: LocalZoho, desk: Api, kind: str) -> None:
    zoho.fault(kind, times=2)

    assert desk.get(TICKET).body["id"] == "22372000000212001"
    assert len(paths(zoho)) == 3


@pytest.mark.parametrize("kind", ["drop", "cut", "not_json", "error"])
def test_what_fails_three_times_is_told(zoho: LocalZoho, desk: Api, kind: str) -> None:
    zoho.fault(kind, times=3)

    with pytest.raises(ZohoUnreachable, match=r"fails 3 times in a row.*kept"):
        desk.get(TICKET)

    assert len(paths(zoho)) == 3


def test_a_refused_token_is_renewed_once(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("expired")

    assert desk.get(TICKET).body["id"] == "22372000000212001"
    assert zoho.seen()["grants"]["refresh_token"] == 1


def test_a_token_refused_twice_is_no_loop(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("expired", times=-1)

    with pytest.raises(ZohoSignInFailed, match="--dc"):
        desk.get(TICKET)

    assert len(paths(zoho)) == 2
    assert zoho.seen()["grants"]["refresh_token"] == 1


@pytest.mark.parametrize(
    ("product", "path", "lacks"),
    [
        ("desk", TICKET, "Desk.tickets.READ"),
        ("crm", "Cases/3652397000001234001", "ZohoCRM.modules.cases.READ"),
    ],
)
def test_a_missing_scope_is_named_and_no_token_renewed(
    zoho: LocalZoho, tmp_path: Path, product: str, path: str, lacks: str
) -> None:
    """CRM says it with a 401, which must not lead to a refresh."""
    others = {"desk": "crm", "crm": "desk"}[product]
    scopes = [scope for scope in (*DESK, *CRM) if scope != lacks]
    api = api_of(others, signed_in(zoho, tmp_path / "few", *scopes))
    api.product, api.headers = product, {"orgId": "2389290"}
    api.base = f"{zoho.url}/api/v1" if product == "desk" else f"{zoho.url}/crm/v8"

    with pytest.raises(ZohoForbidden, match=rf"lacks {lacks}\. Run .*connect"):
        api.get(path)

    assert "refresh_token" not in zoho.seen()["grants"]


def test_an_export_without_its_scopes_does_not_start(zoho: LocalZoho, tmp_path: Path) -> None:
    file = signed_in(zoho, tmp_path / "zoho", *DESK)

    with pytest.raises(ZohoForbidden, match=r"Zoho CRM cannot be exported.*ZohoCRM.modules.cases"):
        api_of("crm", file)


def test_another_organisation_is_told(zoho: LocalZoho, desk: Api) -> None:
    desk.headers = {"orgId": "1"}

    with pytest.raises(ZohoForbidden, match=r"another organisation.*--org"):
        desk.get(TICKET)


def test_a_retry_after_is_waited_for(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("spent", seconds=1)
    started = time.monotonic()

    assert desk.get(TICKET).body
    assert time.monotonic() - started >= 1


def test_a_long_retry_after_ends_the_export(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("spent", seconds=7200)

    with pytest.raises(CreditsSpent, match=r"again in 2.0 hours and it goes on") as error:
        desk.get(TICKET)

    assert error.value.retry_after_seconds == 7200


def test_a_retry_after_of_no_seconds_does_not_go_on_for_ever(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("spent", times=50, seconds=0)

    with pytest.raises(ZohoThrottled, match="8 times in a row"):
        desk.get(TICKET)


def test_all_threads_wait_for_a_retry_after(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("spent", seconds=1)
    desk.get(TICKET)
    zoho.fault("spent", seconds=1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: desk.get(TICKET), range(8)))

    assert len(paths(zoho)) <= 2 + 8 + 4


def test_too_many_at_once_for_ever_is_told(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("busy", times=-1)

    with pytest.raises(ZohoThrottled, match=r"zoho.parallel smaller"):
        desk.get(TICKET)

    assert len(paths(zoho)) == 8


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, ZohoError, "400 BAD_REQUEST"),
        (403, ZohoForbidden, "administrator"),
        (404, ZohoNotFound, "has no /api/v1/tickets"),
        (422, ZohoError, "422 INVALID_DATA"),
    ],
)
def test_other_refusals_are_told_at_once(
    zoho: LocalZoho, desk: Api, status: int, kind: type[ZohoError], says: str
) -> None:
    zoho.fault("error", status=status, times=-1)

    with pytest.raises(kind, match=says):
        desk.get(TICKET)

    assert len(paths(zoho)) == 1


def test_an_address_on_another_host_gets_no_token(zoho: LocalZoho, desk: Api) -> None:
    with pytest.raises(ZohoError, match="another host"):
        desk.get_content("http://127.0.0.2:80/api/v1/tickets/1/threads/2/fullContent")

    assert paths(zoho) == []


def test_a_netrc_does_not_take_the_tokens_place(
    zoho: LocalZoho, desk: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))

    assert desk.get(TICKET).body
    assert zoho.seen()["refused_bearer"] == 0


def test_a_stop_ends_the_waiting(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("spent", seconds=2, times=-1)
    threading.Timer(0.2, desk.stop.set).start()
    started = time.monotonic()

    with pytest.raises(ZohoUnreachable, match="was stopped"):
        desk.get(TICKET)

    assert time.monotonic() - started < 2  # which it would have waited


def test_the_budget_stops_before_the_call(file: ConnectionFile, zoho: LocalZoho) -> None:
    api = api_of("desk", file, credits=2)
    api.get(TICKET)
    api.get(TICKET)

    with pytest.raises(CreditsSpent, match=r"budget of 2 credits.*--credits"):
        api.get(TICKET)

    assert len(paths(zoho)) == 2


def test_credits_for_others_are_left(file: ConnectionFile, zoho: LocalZoho) -> None:
    zoho.rules(credits_left=103)
    api = api_of("desk", file, leave=100)
    for _ in range(3):
        api.get(TICKET)

    with pytest.raises(CreditsSpent, match=r"100 credits left today.*keeps 100 for others"):
        api.get(TICKET)

    assert zoho.seen()["credits_left"] == 100


def test_what_zoho_counts_is_believed(desk: Api) -> None:
    desk.get("tickets/search", {"id": "22372000000212001"})

    assert desk.budget.run == 3  # without a limit in it, a call counts as one record here
    assert desk.budget.remaining is not None
