"""What a run remembers, what a budget counts, and that raw records do not stay for ever."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from backend.domain.errors import CreditsSpent
from backend.system.files import private_folder
from backend.zoho.credit_forecast import Forecast, Item, days
from backend.zoho.credits import PLANS, Budget, list_page
from backend.zoho.crm import belongs
from backend.zoho.raw_file import RawFile, raw_line
from backend.zoho.sync import expire, plan, prune_folder
from backend.zoho.sync_state import DELETED, EXPIRED, Journal, Kept, Page, Span, State, Todo, iso

NOW = iso(time.time())
SPAN = Span(since=None, until="2026-03-01T00:00:00+00:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "raw")


def test_a_state_is_read_back_as_it_was_written(folder: Path) -> None:
    journal = Journal(folder, "desk/tickets")
    state = State("reading", SPAN, 42, {"*": "2026"}, {"*": "2025"})

    journal.save(state)

    assert Journal(folder, "desk/tickets").state() == state
    assert Journal(folder, "crm/cases").state() == State()


def test_half_a_page_of_a_listing_is_forgotten(folder: Path) -> None:
    journal = Journal(folder, "desk/tickets")
    pages = [Page(["search", n], ((f"{n}", "mark"),), (f"{n}9",)) for n in range(3)]
    for page in pages:
        journal.add_page(page)
    listing = folder / ".export" / "desk-tickets.listing"
    content = listing.read_bytes()

    for cut in range(len(content) + 1):
        listing.write_bytes(content[:cut])
        found = journal.pages()
        assert found == pages[: content[:cut].count(b"\n")]
        journal.add_page(pages[0])
        assert journal.pages() == [*found, pages[0]]


def test_todo_and_known_are_read_back(folder: Path) -> None:
    journal = Journal(folder, "crm/cases")
    todo = [Todo("1", "2026-01-01T00:00:00+02:00"), Todo("22", gone=True), Todo("3")]
    known = {"1": Kept("2026-01-02", "m"), "2": Kept(EXPIRED, ""), "3": Kept(DELETED, "")}

    journal.write_todo(todo)
    journal.write_known(known)

    assert journal.todo() == todo
    assert journal.known() == known


def test_a_plan_has_each_id_once_in_order_and_skips_the_unchanged() -> None:
    pages = [
        Page(1, (("100", "a"), ("9", "x"), ("20", "same")), ("7", "9", "8")),
        Page(2, (("100", "b"), ("21", ""))),
    ]
    known = {
        "20": Kept("2026-01-01", "same"),
        "21": Kept("2026-01-01", ""),
        "8": Kept(DELETED, ""),
    }

    found = plan(pages, known, again=False)

    assert found == [Todo("7", gone=True), Todo("9", "x"), Todo("21", ""), Todo("100", "b")]
    assert Todo("20", "same") in plan(pages, known, again=True)


def test_old_records_expire_and_deletions_stay_noted() -> None:
    known = {"1": Kept("2026-01-01", "a"), "2": Kept("2026-02-20", "b"), "3": Kept(DELETED, "")}

    found = expire(known, keep_days=10, today="2026-03-01")

    assert found == known | {"1": Kept(EXPIRED, "a")}
    assert expire(known, keep_days=0, today="2026-03-01") == known


def filled(folder: Path, day: str) -> Path:
    file = folder / "desk" / "tickets.jsonl"
    raw = RawFile(file)
    for name in ("1", "2", "3"):
        raw.append(raw_line(name, None if name == "3" else {"record": {"id": name}}))
    raw.close()
    kept = {"1": Kept(day, "a"), "2": Kept(NOW[:10], "b"), "3": Kept(DELETED, "")}
    Journal(folder, "desk/tickets").write_known(kept)
    return file


def test_pruning_deletes_what_was_exported_long_ago(folder: Path) -> None:
    file = filled(folder, "2020-01-01")

    said = list(prune_folder(folder, keep_days=30))

    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["2", "3"]
    assert said == ["desk/tickets: 31 bytes deleted, 57 kept."]
    assert Journal(folder, "desk/tickets").known()["1"] == Kept(EXPIRED, "a")


def test_pruning_gives_up_an_interrupted_export_that_is_too_old(folder: Path) -> None:
    file = filled(folder, "2020-01-01")
    journal = Journal(folder, "desk/tickets")
    start = file.stat().st_size
    file.write_bytes(file.read_bytes() + raw_line("4", {"record": {}}))
    old = Span(since=None, until="2020-02-01T00:00:00+00:00")
    journal.save(State("reading", old, start, {"*": "2019"}))

    list(prune_folder(folder, keep_days=30))

    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["2", "3"]
    assert journal.state() == State(cursors={"*": "2019"})


def test_pruning_leaves_a_young_interrupted_export_alone(folder: Path) -> None:
    file = filled(folder, "2020-01-01")
    before = file.read_bytes()
    Journal(folder, "desk/tickets").save(State("reading", Span(since=None, until=NOW), 10))

    said = list(prune_folder(folder, keep_days=30))

    assert "Finish it" in said[0]
    assert file.read_bytes() == before


def test_a_budget_is_kept_and_forgets_after_a_day(tmp_path: Path) -> None:
    moment = [1_000_000.0]
    file = tmp_path / "credits"

    def budget(limit: int = 100) -> Budget:
        return Budget(file, "desk", limit=limit, clock=lambda: moment[0])

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
