"""Exports from the local Zoho: whole, then what changed; what is deleted, or in motion."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backend.zoho.client import Api
from backend.zoho.desk import Tickets
from backend.zoho.sync import Outcome
from tests.backend.zoho.conftest import ARCHIVED, FIRST, WANTED, Export, reads, rows
from tests.zoho.desk_records import DEPARTMENTS
from tests.zoho.local import LocalZoho
from tests.zoho.raw_lines import read_lines


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

    assert {name: outcome.read for name, outcome in report.items()} == dict.fromkeys(report, 1)
    tickets = rows(raw, "desk/tickets.jsonl")
    assert len(tickets) == 60
    assert list(tickets)[-1] == FIRST
    assert tickets[FIRST]["threads"][0]["plainText"] == "Ще одне питання"


def test_a_ticket_that_changes_while_it_is_read_is_read_again(zoho: LocalZoho, desk: Api) -> None:
    zoho.fault("reply", rf"/tickets/{FIRST}$")

    kept = Tickets(desk).read(FIRST)

    assert kept is not None
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


def test_zohos_clock_counts_and_not_this_machines(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    """By a clock two hours ahead, what changes now would lie before the last export."""
    zoho.rules(behind=7200)
    export("desk")
    zoho.reply(FIRST)

    export("desk")

    assert int(rows(raw, "desk/tickets.jsonl")[FIRST]["record"]["threadCount"]) > 1
