"""Lists of ids that change while they are read: nothing that stays is ever left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.domain.errors import ZohoError
from backend.services.connect_zoho import choose_organisation
from backend.zoho.client import Api
from backend.zoho.crm import Cases
from backend.zoho.desk import Articles, Tickets
from backend.zoho.sync import Source
from backend.zoho.sync_state import Page, SyncRun
from tests.backend.zoho.conftest import api_of, signed_in
from tests.zoho.local import LocalZoho, local_zoho
from tests.zoho.portal import Portal

TICKETS, CASES = 2400, 450
EVER = SyncRun(since=None, until="2027-01-01T00:00:00+00:00")
MADE = Portal(tickets=TICKETS, cases=CASES)
SOURCES: dict[str, tuple[str, Callable[[Api], Source], str, set[str]]] = {
    "articles": ("desk", Articles, r"/articles$", set(MADE.articles)),
    "tickets": ("desk", Tickets, r"/tickets/search$", set(MADE.tickets)),
    "archived tickets": ("desk", Tickets, r"/archivedTickets$", set(MADE.tickets)),
    "Cases": ("crm", Cases, r"/Cases$", set(MADE.cases)),
}


@pytest.fixture(scope="module")
def big_zoho() -> Iterator[LocalZoho]:
    with local_zoho(tickets=TICKETS, cases=CASES) as found:
        yield found


@pytest.fixture
def zoho(big_zoho: LocalZoho) -> LocalZoho:
    big_zoho.reset()
    return big_zoho


def listed(source: Source, after: object = None) -> list[Page]:
    return list(source.pages(EVER, (), after))


def ids(pages: list[Page]) -> set[str]:
    return {name for page in pages for name, _ in page.items}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_record_that_goes_takes_no_other_with_it(
    zoho: LocalZoho, tmp_path: Path, name: str, after: int
) -> None:
    product, source, path, all_ids = SOURCES[name]
    file = signed_in(zoho, tmp_path / "zoho")
    choose_organisation(file.folder)
    zoho.fault("shift", path, after=after)

    found = ids(listed(source(api_of(product, file))))

    assert len(all_ids - found) <= 1  # the one that went, if it went before it was listed
    assert found <= all_ids


@pytest.mark.parametrize("name", ["articles", "tickets", "Cases"])
def test_a_list_that_never_rests_is_given_up(zoho: LocalZoho, tmp_path: Path, name: str) -> None:
    product, source, path, _ = SOURCES[name]
    file = signed_in(zoho, tmp_path / "zoho")
    choose_organisation(file.folder)
    zoho.fault("shift", path, times=-1)

    with pytest.raises(ZohoError, match=r"faster than"):
        listed(source(api_of(product, file)))


def test_a_listing_goes_on_from_any_of_its_pages(zoho: LocalZoho, tmp_path: Path) -> None:
    file = signed_in(zoho, tmp_path / "zoho")
    choose_organisation(file.folder)
    pages = listed(Tickets(api_of("desk", file)))

    for number in range(len(pages)):
        rest = listed(Tickets(api_of("desk", file)), pages[number].position)
        before = ids(pages[: number + 1])
        assert before | ids(rest) == set(MADE.tickets)
        assert not before or ids(rest) < set(MADE.tickets)
