"""Export folders of version 0.1, which kept text files in `.export/`, go on where they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.system.files import private_folder
from backend.zoho.credits import Budget
from backend.zoho.sync import raw_line
from backend.zoho.sync_state import (
    Cursor,
    PlannedRecord,
    Progress,
    SyncRun,
    open_export_folder,
)
from tests.backend.zoho.conftest import WANTED, Export, reads
from tests.zoho.local import LocalZoho
from tests.zoho.raw_lines import read_lines

TICKETS = "desk/tickets.jsonl"
MARCH = "2026-03-01T00:00:00.000+00:00"
SPAN = {
    "since": None,
    "until": MARCH,
    "scope": "*",
    "again": False,
    "full_look": True,
    "retry": True,
}
RUN = SyncRun(None, MARCH, "*", reread=False, recheck=True, retry_refused=True)


def old_files(raw: Path, phase: str, **contents: str) -> Path:
    """What version 0.1 left of desk/tickets in a phase, and of Desk's credits."""
    folder = private_folder(private_folder(raw) / ".export")
    state = {
        "phase": phase,
        "span": None if phase == "idle" else SPAN,
        "start": 0,
        "cursors": {"*": "2026-02-01T00:00:00+00:00"},
        "looks": {"*": "2026-01-01T00:00:00+00:00", "7": "2025-01-01T00:00:00+00:00"},
    }
    texts = {"state": json.dumps(state), **contents}
    for kind, text in texts.items():
        (folder / f"desk-tickets.{kind}").write_text(text, encoding="utf-8")
    (folder / "desk.credits").write_text('{"100": 7, "101": 5}')
    return folder


def test_everything_that_was_noted_is_taken_over(raw: Path) -> None:
    old = old_files(
        raw,
        "idle",
        known="1\t2026-01-02\tmark\n2\t-\tmark\n3\tx\t\n",
        refused=f"8\t{MARCH}\n9\t\n",
    )

    with open_export_folder(raw) as folder:
        state = folder.state("desk/tickets")
        assert state.progress() == Progress()
        assert state.cursor("*") == Cursor("2026-02-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00")
        assert state.cursor("7").rechecked == "2025-01-01T00:00:00+00:00"
        assert state.existing() == ["1", "2"]
        assert state.expired() == {"2"}
        assert state.count_known() == 3
        assert state.refused() == ("8", "9")
        spent = Budget("desk", database=folder.database, clock=lambda: 101 * 600.0).spent
    assert spent == 12
    assert {file.name for file in old.iterdir()} == {"lock", "sync.db", "sync.lock"}


def test_an_interrupted_listing_goes_on_from_its_last_whole_page(raw: Path) -> None:
    pages = [
        [["search", [0, "2026-01"]], [["1", "a"], ["2", "b"]], []],
        [["archive", [0, [99, "2"]]], [["2", "c"]], ["3", "4"]],
    ]
    lines = "".join(json.dumps(page) + "\n" for page in pages)
    old_files(raw, "listing", listing=lines + '[["archive", [0', known="4\tx\t\n")

    with open_export_folder(raw) as folder:
        state = folder.state("desk/tickets")
        assert state.progress() == Progress("listing", RUN, 0)
        assert state.listing_position() == ["archive", [0, [99, "2"]]]
        state.plan()
        assert state.planned() == [
            PlannedRecord("1", "a"),
            PlannedRecord("2", "c"),
            PlannedRecord("3", gone=True),
        ]


@pytest.mark.parametrize("read", [0, 20, 60])
def test_an_interrupted_export_is_finished_to_the_same_bytes(
    zoho: LocalZoho, export: Export, raw: Path, read: int
) -> None:
    rows = WANTED[TICKETS]
    todo = "".join(f"read\t{row['id']}\t{row['record']['modifiedTime']}\n" for row in rows)
    old_files(raw, "reading", todo=todo)
    file = private_folder(raw / "desk") / "tickets.jsonl"
    lines = [raw_line(row["id"], {k: v for k, v in row.items() if k != "id"}) for row in rows]
    file.write_bytes(b"".join(lines[:read]) + b'{"id":"2237')

    report = export("desk")

    assert report.resumed == ["desk/tickets"]
    assert read_lines(raw / TICKETS) == rows
    assert reads(zoho, r"/tickets/\d+\?include") == 60 - read


def test_a_kill_before_the_old_files_are_gone_takes_nothing_over_twice(raw: Path) -> None:
    old_files(raw, "idle", known="1\t2026-01-02\tmark\n")
    with open_export_folder(raw) as folder:
        state = folder.state("desk/tickets")
        state.begin(RUN, start=0)
    old = old_files(raw, "idle", known="1\t2026-01-02\tmark\n5\t2026-01-02\tmark\n")

    with open_export_folder(raw) as folder:
        state = folder.state("desk/tickets")
        assert state.progress() == Progress("listing", RUN, 0)
        assert state.existing() == ["1"]
    assert not list(old.glob("desk*"))
