"""Exports from the local Zoho: whole, then what changed; what is deleted, or in motion."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.errors import CreditsSpent, Unavailable, ZohoForbidden, ZohoUnreachable
from backend.zoho.calls import Api
from backend.zoho.desk_lists import EARLIEST, windows
from backend.zoho.export import alone
from backend.zoho.running import Outcome
from tests.backend.zoho.conftest import Export, api_of, signed_in
from tests.zoho.desk_records import DEPARTMENTS
from tests.zoho.local import LocalZoho, local_zoho
from tests.zoho.portal import Portal
from tests.zoho.raw_lines import Json, lines, read_lines

WANTED = lines(Portal(tickets=60, cases=40))
FIRST, ARCHIVED = "22372000000212001", "22372000000219001"


def reads(zoho: LocalZoho, pattern: str) -> int:
    return sum(bool(re.search(pattern, path)) for path in zoho.seen()["paths"])


def rows(raw: Path, name: str) -> dict[str, Json]:
    """The lines of a file by id; each id once."""
    found = read_lines(raw / name)
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


@pytest.mark.parametrize("product", ["desk", "crm"])
def test_everything_is_exported_unchanged(export: Export, raw: Path, product: str) -> None:
    export(product)

    for name, wanted in WANTED.items():
        if name.startswith(product):
            assert read_lines(raw / name) == wanted


def test_nothing_is_read_twice(zoho: LocalZoho, export: Export, raw: Path) -> None:
    for product in ("desk", "crm"):
        export(product)
    before = {name: (raw / name).read_bytes() for name in WANTED}
    records = r"/tickets/\d|/articles/\d|/Cases/\d|/Solutions/\d"
    read = reads(zoho, records)

    outcomes = {**export("desk").outcomes, **export("crm").outcomes}

    assert set(outcomes.values()) == {Outcome(0, 0)}
    assert reads(zoho, records) == read
    assert {name: (raw / name).read_bytes() for name in WANTED} == before


def test_what_changed_replaces_the_earlier_line(zoho: LocalZoho, export: Export, raw: Path) -> None:
    export("desk")
    export("crm")
    zoho.reply(FIRST, "Ще одне питання")
    zoho.touch("articles", "22372000000094160")
    zoho.touch("Cases", "3652397000001234001")
    zoho.touch("Solutions", "3652397000002000001")

    report = {**export("desk").outcomes, **export("crm").outcomes}

    assert {name: one.read for name, one in report.items()} == dict.fromkeys(report, 1)
    tickets = rows(raw, "desk/tickets.jsonl")
    assert len(tickets) == 60
    assert list(tickets)[-1] == FIRST
    assert tickets[FIRST]["threads"][0]["plainText"] == "Ще одне питання"


def test_a_ticket_that_changes_while_it_is_read_is_read_again(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.fault("reply", rf"/tickets/{FIRST}$")

    export("desk")

    kept = rows(raw, "desk/tickets.jsonl")[FIRST]
    listed = [item["id"] for item in kept["conversations"] if item["type"] == "thread"]
    assert len(listed) == int(kept["record"]["threadCount"]) == len(kept["threads"])


def test_a_ticket_that_never_rests_does_not_hold_up_the_others(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.fault("reply", rf"/tickets/{FIRST}$", times=8)

    report = export("desk")

    assert len(rows(raw, "desk/tickets.jsonl")) == 60
    assert report.outcomes["desk/tickets"].read > 60
    export("desk")
    kept = rows(raw, "desk/tickets.jsonl")[FIRST]
    assert len(kept["threads"]) == int(kept["record"]["threadCount"])


def test_a_ticket_that_goes_while_it_is_read_is_noted_as_deleted(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.fault("delete", rf"/tickets/{FIRST}/conversations")
    zoho.fault("delete", r"/Cases/3652397000001234001")

    report = {**export("desk").outcomes, **export("crm").outcomes}

    assert rows(raw, "desk/tickets.jsonl")[FIRST] == {"id": FIRST, "deleted": True}
    assert rows(raw, "crm/cases.jsonl")["3652397000001234001"]["deleted"] is True
    assert report["desk/tickets"].deleted == report["crm/cases"].deleted == 1


def test_what_is_deleted_later_leaves_nothing_but_its_id(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    export("desk")
    export("crm")
    gone = {
        "tickets": FIRST,
        "articles": "22372000000094160",
        "Cases": "3652397000001234001",
        "Solutions": "3652397000002000001",
    }
    for kind, record_id in gone.items():
        zoho.delete(kind, record_id)

    export("desk", recheck_days=0)
    export("crm")

    for name, record_id in zip(
        ("desk/tickets", "desk/articles", "crm/cases", "crm/solutions"), gone.values(), strict=True
    ):
        text = (raw / f"{name}.jsonl").read_text(encoding="utf-8")
        assert [line for line in text.splitlines() if f'{{"id":"{record_id}"' in line] == [
            json.dumps({"id": record_id, "deleted": True}, separators=(",", ":"))
        ]


def test_archived_tickets_are_exported_and_not_taken_for_deleted(export: Export, raw: Path) -> None:
    export("desk")

    report = export("desk", recheck_days=0)

    assert rows(raw, "desk/tickets.jsonl")[ARCHIVED]["record"]["subject"]
    assert report.outcomes["desk/tickets"] == Outcome(0, 0)


def test_an_article_that_is_withdrawn_counts_as_deleted(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    export("desk")
    zoho.withdraw("22372000000094160")

    export("desk")

    assert rows(raw, "desk/articles.jsonl")["22372000000094160"].get("deleted") is True


def test_one_department_does_not_hide_the_others_later(export: Export, raw: Path) -> None:
    export("desk", department=DEPARTMENTS[1])
    few = rows(raw, "desk/tickets.jsonl")
    assert {row["record"]["departmentId"] for row in few.values()} == {DEPARTMENTS[1]}

    export("desk")

    assert rows(raw, "desk/tickets.jsonl").keys() == {
        row["id"] for row in WANTED["desk/tickets.jsonl"]
    }


def test_since_reads_again_and_leaves_no_gap_behind(export: Export, raw: Path) -> None:
    latest = max(row["record"]["modifiedTime"] for row in WANTED["desk/tickets.jsonl"])
    export("desk", since=(datetime.fromisoformat(latest) - timedelta(hours=1)).isoformat())
    few = len(rows(raw, "desk/tickets.jsonl"))

    again = export("desk", since="2000-01-01T00:00:00+00:00")

    assert few < 10
    assert again.outcomes["desk/tickets"].read == 60
    assert len(rows(raw, "desk/tickets.jsonl")) == 60


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
    with alone(raw), pytest.raises(Unavailable, match="Another export"):
        export("desk")


def test_calls_run_side_by_side_within_the_limit(zoho: LocalZoho, export: Export) -> None:
    zoho.fault("slow", times=-1, seconds=0.02)

    export("desk", parallel=5)

    assert 2 <= zoho.seen()["most_running"] <= 5


def test_a_user_who_may_not_read_is_told_and_nothing_is_lost(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.fault("error", rf"/tickets/{FIRST}", status=403)
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
            parts = windows(api, {}, axis, EARLIEST, end)
            return {row["id"] for _, part in parts for row in part}

        archived = {name for number, name in enumerate(many) if number % 20 == 7}
        assert found("createdTime") == set(many) - archived
        assert reads(zoho, "search") < 70
        zoho.touch_all_tickets()
        assert found("modifiedTime") == set(many) - archived
        assert reads(zoho, "search") < 260
