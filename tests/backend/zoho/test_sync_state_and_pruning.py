"""What a sync remembers, what a budget counts, and that raw records do not stay for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.domain.errors import CreditsSpent, DatabaseTooNew, ZohoError
from backend.zoho.credit_forecast import Forecast, Item, days
from backend.zoho.credits import PLANS, Budget, list_page
from backend.zoho.crm import belongs
from backend.zoho.sync import RawFile, prune_folder, raw_line
from backend.zoho.sync_state import (
    Cursor,
    ExportFolder,
    Page,
    PlannedRecord,
    Progress,
    StreamState,
    SyncRun,
    iso,
    open_export_folder,
)

NOW = iso(time.time())
RUN = SyncRun(since=None, until="2026-03-01T00:00:00+00:00")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def folder(raw: Path) -> Iterator[ExportFolder]:
    with open_export_folder(raw) as found:
        yield found


@pytest.fixture
def state(folder: ExportFolder) -> StreamState:
    return folder.state("desk/tickets")


def done(state: StreamState, *pages: Page, run: SyncRun = RUN, **more: Any) -> list[PlannedRecord]:
    """One whole run of a stream, in which everything planned was read."""
    planned = listed(state, *pages, run=run)
    state.finish_reading()
    state.close(more.get("deleted", ()), keep_days=more.get("keep_days", 0))
    state.finish()
    return planned


def listed(state: StreamState, *pages: Page, run: SyncRun = RUN) -> list[PlannedRecord]:
    state.begin(run, start=0)
    for page in pages:
        state.add_page(page)
    state.plan()
    return state.planned()


def test_progress_is_kept_stream_by_stream(raw: Path) -> None:
    with open_export_folder(raw) as folder:
        folder.state("desk/tickets").begin(RUN, start=42)
    with open_export_folder(raw) as folder:
        assert folder.state("desk/tickets").progress() == Progress("listing", RUN, 42)
        assert folder.state("crm/cases").progress() == Progress()


def test_a_listing_goes_on_from_its_last_page(state: StreamState) -> None:
    state.begin(RUN, start=0)
    assert state.listing_position() is None

    state.add_page(Page(("search", (0, "2026")), (("1", "a"), ("2", "b")), ("9",)))

    assert state.listing_position() == ["search", [0, "2026"]]
    assert state.count_listed() == 2
    state.plan()
    state.finish()
    assert state.listing_position() is None
    assert state.count_listed() == 0


def test_a_plan_has_each_id_once_in_order_and_skips_the_unchanged(state: StreamState) -> None:
    done(
        state,
        Page(1, (("20", "same"), ("21", ""), ("8", "old"), ("9", "x"))),
        deleted=["8"],
    )
    pages = [
        Page(1, (("100", "a"), ("9", "y"), ("20", "same")), ("7", "9", "8")),
        Page(2, (("100", "b"), ("21", ""))),
    ]

    found = listed(state, *pages)

    assert found == [
        PlannedRecord("7", gone=True),
        PlannedRecord("9", "y"),
        PlannedRecord("21", ""),
        PlannedRecord("100", "b"),
    ]
    again = listed(state, *pages, run=SyncRun(None, RUN.until, reread=True))
    assert PlannedRecord("20", "same") in again


def test_what_was_refused_is_tried_again_only_if_asked(state: StreamState) -> None:
    page = Page(1, (("1", "a"), ("2", "b")))
    listed(state, page)
    state.refuse("1")
    assert state.planned() == [PlannedRecord("2", "b")]
    state.finish_reading()
    state.close((), keep_days=0)
    state.finish()

    assert done(state, Page(1)) == []
    assert state.refused() == ("1",)
    retry = SyncRun(None, RUN.until, retry_refused=True)
    assert done(state, Page(1), run=retry) == [PlannedRecord("1")]
    assert state.refused() == ()
    assert state.existing() == ["1", "2"]


def test_an_id_that_could_not_be_found_again_is_refused(state: StreamState) -> None:
    with pytest.raises(ZohoError, match="could not be found again"):
        listed(state, Page(1, (("1\n2", "a"),)))


def test_cursors_move_on_without_a_gap(state: StreamState) -> None:
    march, april = RUN.until, "2026-04-01T00:00:00+00:00"
    done(state, run=SyncRun("2026-01-01T00:00:00+00:00", march, recheck=False))
    assert state.cursor("*") == Cursor(march, "")

    done(state, run=SyncRun("2026-03-15T00:00:00+00:00", april))

    assert state.cursor("*") == Cursor(march, april)  # what changed before the 15th is missing
    done(state, run=SyncRun(march, "2026-04-02", department="7"))
    assert state.cursor("7") == Cursor("2026-04-02", "2026-04-02")
    assert state.cursor("8") == state.cursor("*")


def test_old_records_expire_and_deletions_stay_noted(state: StreamState) -> None:
    done(state, Page(1, (("1", "a"), ("3", "c"))), run=SyncRun(None, "2026-01-01"), deleted=["3"])
    done(state, Page(1, (("2", "b"),)), run=SyncRun(None, "2026-02-20"))

    state.expire(keep_days=0, today="2026-03-01")
    assert state.expired() == set()
    state.expire(keep_days=10, today="2026-03-01")

    assert state.expired() == {"1"}
    assert state.existing() == ["1", "2"]


def test_what_expired_is_not_read_again_unless_it_changed(state: StreamState) -> None:
    page = Page(1, (("1", "a"),))
    done(state, page, run=SyncRun(None, "2026-01-01"))
    state.expire(keep_days=10, today="2026-03-01")

    assert done(state, page) == []
    assert done(state, Page(1, (("1", "b"),))) == [PlannedRecord("1", "b")]
    assert state.expired() == set()


def test_only_the_owner_can_read_the_state(raw: Path) -> None:
    with open_export_folder(raw) as folder:
        folder.state("desk/tickets").begin(RUN, start=0)
        files = list((raw / ".export").iterdir())
        assert {"sync.db", "sync.db-wal", "lock"} <= {file.name for file in files}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert (raw / ".export").stat().st_mode & 0o777 == 0o700


def test_a_state_of_a_newer_version_is_refused(raw: Path) -> None:
    with open_export_folder(raw) as folder:
        table = folder.database.table("_sqlite_migrations")
        table.insert({"migration_set": "zoho_sync", "name": "m999", "applied_at": "2030"})

    with pytest.raises(DatabaseTooNew, match="newer version"), open_export_folder(raw):
        pass


def filled(raw: Path, day: str) -> Path:
    """A raw file in which 1 was exported on that day, 2 today, and 3 is deleted."""
    with open_export_folder(raw) as folder:
        file = folder.raw_path("desk/tickets")
        lines = RawFile(file)
        for name in ("1", "2", "3"):
            lines.append(raw_line(name, None if name == "3" else {"record": {"id": name}}))
        lines.close()
        state = folder.state("desk/tickets")
        done(state, Page(1, (("1", "a"), ("3", "c"))), run=SyncRun(None, day), deleted=["3"])
        done(state, Page(1, (("2", "b"),)), run=SyncRun(None, NOW))
    return file


def ids_in(file: Path) -> list[str]:
    return [json.loads(line)["id"] for line in file.read_text().splitlines()]


def test_pruning_deletes_what_was_exported_long_ago(raw: Path) -> None:
    file = filled(raw, "2020-01-01")

    said = list(prune_folder(raw, keep_days=30))

    assert ids_in(file) == ["2", "3"]
    assert said == ["desk/tickets: 31 bytes deleted, 57 kept."]
    with open_export_folder(raw) as folder:
        assert folder.state("desk/tickets").expired() == {"1"}


def test_pruning_gives_up_an_interrupted_export_that_is_too_old(raw: Path) -> None:
    file = filled(raw, "2020-01-01")
    with open_export_folder(raw) as folder:
        before = folder.state("desk/tickets").cursor("*")
        old = SyncRun(since=None, until="2020-02-01T00:00:00+00:00")
        folder.state("desk/tickets").begin(old, start=file.stat().st_size)
    file.write_bytes(file.read_bytes() + raw_line("4", {"record": {}}))

    list(prune_folder(raw, keep_days=30))

    assert ids_in(file) == ["2", "3"]
    with open_export_folder(raw) as folder:
        state = folder.state("desk/tickets")
        assert (state.progress(), state.cursor("*")) == (Progress(), before)


def test_pruning_leaves_a_young_interrupted_export_alone(raw: Path) -> None:
    file = filled(raw, "2020-01-01")
    before = file.read_bytes()
    with open_export_folder(raw) as folder:
        folder.state("desk/tickets").begin(SyncRun(since=None, until=NOW), start=10)

    said = list(prune_folder(raw, keep_days=30))

    assert "Finish it" in said[0]
    assert file.read_bytes() == before


def test_a_budget_is_kept_and_forgets_after_a_day(folder: ExportFolder) -> None:
    moment = [1_000_000.0]

    def budget(limit: int = 100) -> Budget:
        return Budget("desk", database=folder.database, limit=limit, clock=lambda: moment[0])

    first = budget()
    first.take(60)
    first.settle(60, weight=70, remaining=None)
    first.save()
    second = budget()

    assert second.spent == 70
    with pytest.raises(CreditsSpent):
        second.take(31)
    second.take(30)
    moment[0] += 90_000
    second.take(100)
    assert second.spent == 100


def test_pages_far_down_a_list_cost_more() -> None:
    assert [list_page(offset) for offset in (0, 1_999, 2_000, 5_000, 10_000, 60_000)] == [
        *(3, 3, 5, 10, 50),
        100,
    ]


def test_ten_thousand_tickets_against_each_edition() -> None:
    """Four messages a ticket: 8 credits each (1, a page of 3, four threads), and the lists."""
    found = Forecast("desk", [Item("tickets", 10_000, 80_000)])

    table = {row.edition: (row.credits_a_day, row.days) for row in days(found, users=10, leave=0)}

    assert table == {
        "free": (5_000, 16),
        "express": (26_000, 4),
        "standard": (52_500, 2),
        "professional": (80_000, 1),
        "enterprise": (110_000, 1),
    }
    assert days(found, users=10, leave=0, budget=8_000)[-1].days == 10
    assert PLANS["crm"]["ultimate"].credits(3) == 56_000


CASE = {
    "id": "5",
    "Case_Number": "CS-12",
    "Subject": "Cannot log in",
    "Created_Time": "2024-06-01T10:00:00+02:00",
    "Modified_Time": "2024-06-01T12:00:00+02:00",
}


@pytest.mark.parametrize(
    ("mail", "mine"),
    [
        ({"subject": "Re: cannot  LOG in"}, True),
        ({"subject": "AW: Re[2]: Fwd: Cannot log in"}, True),
        ({"subject": "Відп: Cannot log in"}, True),
        ({"subject": "Your ticket CS-12"}, True),
        ({"subject": "Your ticket CS-123"}, False),
        ({"subject": "Another thing"}, False),
        ({"subject": "Cannot log in", "time": "2023-06-01T10:00:00+02:00"}, False),
        ({"subject": "Cannot log in", "linked_record": {"id": "6"}}, False),
        ({"subject": "Hello", "linked_record": {"id": "5"}}, True),
        ({"subject": None}, False),
    ],
)
def test_a_mail_belongs_to_the_case_it_answers(mail: dict[str, object], mine: bool) -> None:
    assert belongs({"time": "2024-06-01T11:00:00+02:00", **mail}, CASE) is mine
