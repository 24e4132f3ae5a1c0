"""A ticket that the user who signed in may not read does not hold up the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.domain.errors import ZohoForbidden, ZohoUnreachable
from backend.zoho.client import Api
from backend.zoho.desk import Tickets
from backend.zoho.sync import Outcome, StreamSync
from backend.zoho.sync_state import SyncRun, iso, open_export_folder
from tests.backend.zoho.conftest import FIRST, WANTED, Export, reads, rows
from tests.zoho.commands import run
from tests.zoho.local import LocalZoho
from tests.zoho.raw_lines import read_lines

TICKETS = "desk/tickets.jsonl"
LATER = WANTED[TICKETS][40]["id"]


def refuse(zoho: LocalZoho, *ids: str) -> None:
    for record_id in ids:
        zoho.fault("error", rf"/tickets/{record_id}", times=-1, status=403)


def test_it_is_left_out_told_and_read_once_it_may_be(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    refuse(zoho, FIRST, LATER)

    report = export("desk")

    assert report.refused == {"desk/tickets": (FIRST, LATER)}
    assert report.outcomes["desk/tickets"].read == 58
    left = [row for row in WANTED[TICKETS] if row["id"] not in (FIRST, LATER)]
    assert read_lines(raw / TICKETS) == left

    asked = reads(zoho, f"/tickets/{FIRST}")
    assert export("desk").refused == report.refused
    assert reads(zoho, f"/tickets/{FIRST}") == asked + 1
    zoho.calm()
    assert export("desk").refused == {}
    assert sorted(rows(raw, TICKETS)) == sorted(row["id"] for row in WANTED[TICKETS])


def test_the_next_run_may_begin_within_the_same_second(
    zoho: LocalZoho, desk: Api, raw: Path
) -> None:
    run = SyncRun(since=None, until=iso(desk.zoho_now()), retry_refused=True)
    refuse(zoho, FIRST)
    with open_export_folder(raw) as folder:
        sync = StreamSync(folder, Tickets(desk))
        first = sync.run(run)
        zoho.calm()

        second = sync.run(run)

    assert (first, second) == (Outcome(59, 0), Outcome(1, 0))
    assert sorted(rows(raw, TICKETS)) == sorted(row["id"] for row in WANTED[TICKETS])


def test_what_was_exported_before_stays(zoho: LocalZoho, export: Export, raw: Path) -> None:
    export("desk")
    before = rows(raw, TICKETS)
    zoho.reply(FIRST)
    refuse(zoho, FIRST)

    report = export("desk", recheck_days=0)

    assert report.refused == {"desk/tickets": (FIRST,)}
    assert report.outcomes["desk/tickets"].deleted == 0
    assert rows(raw, TICKETS) == before
    zoho.calm()
    export("desk")
    assert int(rows(raw, TICKETS)[FIRST]["record"]["threadCount"]) > len(before[FIRST]["threads"])


def test_an_interrupted_export_goes_on_behind_it(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    refuse(zoho, FIRST)
    zoho.fault("drop", rf"/tickets/{LATER}", times=3)
    with pytest.raises(ZohoUnreachable):
        export("desk")
    read = len(read_lines(raw / TICKETS))

    report = export("desk")

    assert 0 < read < 59
    assert report.resumed == ["desk/tickets"]
    assert report.refused == {"desk/tickets": (FIRST,)}
    assert read_lines(raw / TICKETS) == WANTED[TICKETS][1:]


def test_one_that_is_deleted_meanwhile_is_refused_no_more(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    refuse(zoho, FIRST)
    export("desk")
    zoho.calm()
    zoho.delete("tickets", FIRST)

    report = export("desk")

    assert report.refused == {}
    assert rows(raw, TICKETS)[FIRST] == {"id": FIRST, "deleted": True}


def test_a_user_who_may_read_next_to_nothing_is_told(
    zoho: LocalZoho, export: Export, raw: Path
) -> None:
    zoho.fault("error", r"/tickets/\d", times=-1, status=403)
    for _ in range(2):
        with pytest.raises(ZohoForbidden, match=r"records are refused .* and 0 were given"):
            export("desk")
    zoho.calm()

    report = export("desk")

    assert report.refused == {}
    assert sorted(rows(raw, TICKETS)) == sorted(row["id"] for row in WANTED[TICKETS])


def test_the_command_names_them(zoho: LocalZoho, connected: Path) -> None:
    refuse(zoho, FIRST)

    done = run(connected, "export", "--desk")

    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "desk/tickets: 1 record left out, which Zoho refuses to the user who signed in" in said
    assert f"signed in: {FIRST}. The next export tries again." in said
