"""Exports while Zoho fails, runs out of credits, or holds more than a search shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.errors import (
    CreditsSpent,
    Unavailable,
    ZohoError,
    ZohoForbidden,
    ZohoUnreachable,
)
from backend.zoho.client import Api
from backend.zoho.desk import EARLIEST, search_windows
from backend.zoho.sync_state import open_export_folder
from tests.backend.zoho.conftest import FIRST, WANTED, Export, api_of, reads, rows, signed_in
from tests.zoho.local import LocalZoho, local_zoho
from tests.zoho.portal import Portal
from tests.zoho.raw_lines import lines, read_lines


def test_without_times_in_lists_nothing_is_missed(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.rules(tells_modified_in_lists=False)
    export("desk")
    zoho.reply(FIRST)

    export("desk")

    assert len(rows(raw, "desk/tickets.jsonl")) == 60
    assert int(rows(raw, "desk/tickets.jsonl")[FIRST]["record"]["threadCount"]) > 1


def test_a_message_that_has_gone_is_skipped_and_counted(zoho: LocalZoho, export: Export) -> None:
    zoho.fault("error", r"/threads/\d+$", status=404)

    assert export("desk").skipped_threads == 1


def test_a_day_without_credits_keeps_what_was_read(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.rules(credits_left=500)
    with pytest.raises(CreditsSpent, match="goes on from there"):
        export("desk")
    zoho.rules(credits_left=100_000)
    spent = reads(zoho, "/articles/\\d+$")

    report = export("desk")

    assert report.resumed == ["desk/tickets"]
    assert reads(zoho, r"/tickets/\d+\?include") <= 60 + 4 * 4  # and those that were under way
    assert reads(zoho, "/articles/\\d+$") == spent
    assert read_lines(raw / "desk/tickets.jsonl") == WANTED["desk/tickets.jsonl"]


def test_a_portal_full_of_faults_gives_the_same_bytes(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    for kind in ("drop", "cut", "error", "busy", "not_json"):
        zoho.fault(kind, r"/api/v1|/crm", times=-1, chance=0.01)
    zoho.fault("expired", times=3, chance=0.02)

    for product in ("desk", "crm"):
        for _ in range(20):
            try:
                export(product)
                break
            except ZohoUnreachable:
                continue

    for name, wanted in WANTED.items():
        assert read_lines(raw / name) == wanted


def test_another_export_of_the_same_folder_is_refused(export: Export, raw: Path) -> None:
    with open_export_folder(raw), pytest.raises(Unavailable, match="Another export"):
        export("desk")


def test_calls_run_side_by_side_within_the_limit(zoho: LocalZoho, export: Export) -> None:
    zoho.fault("slow", times=-1, seconds=0.02)

    export("desk", parallel=5)

    assert 2 <= zoho.seen()["most_running"] <= 5


def test_a_user_who_may_not_read_is_told_and_nothing_is_lost(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.fault("error", "/tickets/search", status=403)
    with pytest.raises(ZohoForbidden, match="--department"):
        export("desk")

    export("desk")

    assert read_lines(raw / "desk/tickets.jsonl") == WANTED["desk/tickets.jsonl"]


@pytest.fixture(scope="module")
def many() -> list[str]:
    return [row["id"] for row in lines(Portal(tickets=2600, cases=0))["desk/tickets.jsonl"]]


def test_a_search_is_cut_into_windows_that_zoho_can_show(tmp_path: Path, many: list[str]) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    with local_zoho(tickets=2600, cases=0) as zoho:
        api: Api = api_of("desk", signed_in(zoho, tmp_path / "zoho"))
        api.headers = {"orgId": "2389290"}

        def found(axis: str) -> set[str]:
            parts = search_windows(api, {}, axis, EARLIEST, end)
            return {row["id"] for _, part in parts for row in part}

        archived = {name for number, name in enumerate(many) if number % 20 == 7}
        assert found("createdTime") == set(many) - archived
        assert reads(zoho, "search") < 70
        zoho.touch_all_tickets()
        assert found("modifiedTime") == set(many) - archived
        assert reads(zoho, "search") < 260


@pytest.mark.parametrize(
    ("product", "path"),
    [
        ("desk", r"/articles$"),
        ("desk", r"/articles/\d+$"),
        ("desk", r"/tickets/search"),
        ("desk", r"/tickets/\d+$"),
        ("desk", r"/conversations$"),
        ("desk", r"/threads/\d+$"),
        ("crm", r"/Cases$"),
        ("crm", r"/Cases/deleted$"),
        ("crm", r"/Cases/\d+$"),
        ("crm", r"/Notes$"),
        ("crm", r"/Emails$"),
    ],
)
def test_an_answer_of_another_shape_is_told_and_nothing_is_lost(
    zoho: LocalZoho, export: Export, raw: Path, product: str, path: str
) -> None:
    zoho.fault("strange", path)
    with pytest.raises(ZohoError, match="a shape that this version does not know"):
        export(product)

    export(product)

    for name, wanted in WANTED.items():
        if name.startswith(product):
            assert read_lines(raw / name) == wanted


@pytest.mark.parametrize(
    ("product", "path"),
    [
        ("desk", r"/articles$"),
        ("desk", r"/tickets/search"),
        ("desk", r"/conversations$"),
        ("crm", r"/Cases$"),
        ("crm", r"/Emails$"),
    ],
)
def test_rows_without_an_id_are_told_and_nothing_is_lost(
    zoho: LocalZoho, export: Export, raw: Path, product: str, path: str
) -> None:
    zoho.fault("no_id", path)
    with pytest.raises(ZohoError, match=r"without '(message_)?id', in a shape that"):
        export(product)

    export(product)

    for name, wanted in WANTED.items():
        if name.startswith(product):
            assert read_lines(raw / name) == wanted


def test_a_record_without_its_times_is_exported(zoho: LocalZoho, export: Export, raw: Path) -> None:
    zoho.fault("no_time", r"/tickets/\d+$|/Cases/\d+$|/Emails$", times=-1)

    export("desk")
    export("crm")

    assert len(rows(raw, "desk/tickets.jsonl")) == 60
    cases = rows(raw, "crm/cases.jsonl")
    assert len(cases) == 40
    assert not any("Created_Time" in case["record"] or case["emails"] for case in cases.values())
