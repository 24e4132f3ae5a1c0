"""What an export will cost before it starts: a few cheap calls, and Zoho's own prices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backend.zoho.client import Api, page_of, rows_of
from backend.zoho.credits import LIST_PAGE, PLANS, RECORD
from backend.zoho.crm import PAGES_BY_NUMBER, PER_PAGE
from backend.zoho.desk import EARLIEST, Json, Tickets, all_rows, desk_time
from backend.zoho.sync_state import SyncRun

SAMPLE = 100
_CONTACTS_LOOKED_AT = 5
_NEAR_ENOUGH = 0.1


@dataclass(frozen=True)
class Item:
    """One kind of record: how many, and what reading them costs in credits."""

    what: str
    count: int
    credits: int
    note: str = ""


@dataclass(frozen=True)
class Forecast:
    """What an export will cost, kind by kind."""

    product: str
    items: Sequence[Item]

    @property
    def credits(self) -> int:
        """All credits together."""
        return sum(item.credits for item in self.items)


@dataclass(frozen=True)
class Days:
    """How long one edition takes for a forecast."""

    edition: str
    credits_a_day: int
    days: int


def days(forecast: Forecast, *, users: int, leave: int, budget: int = 0) -> list[Days]:
    """Days by edition: with its credits, less what is left to others, and no more than a budget."""
    found = []
    for edition, plan in PLANS[forecast.product].items():
        usable = max(plan.credits(users) - leave, 1)
        usable = min(usable, budget) if budget else usable
        found.append(Days(edition, plan.credits(users), math.ceil(forecast.credits / usable)))
    return found


def forecast(api: Api, run: SyncRun) -> Forecast:
    """What this run costs, as far as a few calls can tell."""
    items = _desk(api, run) if api.product == "desk" else _crm(api)
    return Forecast(api.product, items)


def _desk(api: Api, run: SyncRun) -> list[Item]:
    articles = all_rows(api, "articles", {"status": "Published"}, limit=50, first=1)
    translations = sum(
        max(len(row.get("availableLocaleTranslations") or []) - 1, 0) for row in articles
    )
    found = [
        Item(
            "articles",
            len(articles),
            math.ceil(len(articles) / 49) * LIST_PAGE + (len(articles) + translations) * RECORD,
            f"{translations} translations",
        )
    ]
    count, sample = _tickets(api, run)
    each = _ticket_credits(sample)
    found.append(
        Item(
            "tickets",
            count,
            round(count * each) + _list_credits(count),
            f"{each:.1f} a ticket, by the newest {len(sample)}",
        )
    )
    if run.recheck:
        archived = sum(_probed(api, name) for name in _departments(api, run))
        cost = round(archived * each) + math.ceil(archived / 99) * LIST_PAGE
        found.append(Item("archived tickets", archived, cost, "counted by probing: about 10 % off"))
    return found


def _tickets(api: Api, run: SyncRun) -> tuple[int, list[Json]]:
    """How many tickets the run has, and the newest of them."""
    axis = "modifiedTime" if run.since else "createdTime"
    start = datetime.fromisoformat(run.since) if run.since else EARLIEST
    asked: dict[str, str | int] = {
        f"{axis}Range": f"{desk_time(start)},{desk_time(datetime.now(UTC) + timedelta(minutes=1))}",
        "sortBy": f"-{axis}",
        "limit": SAMPLE,
        "from": 0,
    }
    if run.department != "*":
        asked["departmentId"] = run.department
    body = api.get("tickets/search", asked).body
    rows = rows_of(body)
    return int((body or {}).get("count") or len(rows)), rows


def _ticket_credits(sample: Sequence[Json]) -> float:
    """Credits of one ticket: itself, one page of its conversation, and each thread."""
    threads = [int(row.get("threadCount") or 1) for row in sample]
    return RECORD + LIST_PAGE + (sum(threads) / len(threads) if threads else 1.0) * RECORD


def _list_credits(count: int) -> int:
    """Searches: pages of 99 new rows, and about a third more for finding the windows."""
    return math.ceil(count / 99 * 4 / 3) * LIST_PAGE


def _departments(api: Api, run: SyncRun) -> list[str]:
    return [run.department] if run.department != "*" else Tickets(api).departments()


def _probed(api: Api, department: str) -> int:
    """About how many archived tickets a department has, by looking at single offsets."""

    def there(offset: int) -> bool:
        asked: dict[str, str | int] = {"departmentId": department, "from": offset, "limit": 1}
        path = "tickets/archivedTickets"
        return bool(rows_of(api.get(path, asked).body))

    low, high = 0, 1  # `low` rows are there for sure
    while there(high - 1):
        low, high = high, high * 2
    while high - low > max(1, low * _NEAR_ENOUGH):
        middle = (low + high) // 2
        low, high = (middle, high) if there(middle - 1) else (low, middle)
    return low


def _crm(api: Api) -> list[Item]:
    solutions, _ = _listed(api, "Solutions", "Modified_Time")
    cases, contacts = _listed(api, "Cases", "Related_To")
    mails = _mails_of(api, contacts)
    pages = math.ceil(cases / PER_PAGE)
    people = round(cases * len(set(contacts)) / max(len(contacts), 1))
    return [
        Item("solutions", solutions, solutions + math.ceil(solutions / PER_PAGE)),
        Item("cases and their notes", cases, 2 * cases + pages),
        Item("contacts' lists of mails", people, math.ceil(people * max(1.0, mails / 10))),
        Item(
            "mails",
            round(people * mails),
            round(people * mails),
            f"at most; {mails:.1f} a contact, by {min(len(set(contacts)), _CONTACTS_LOOKED_AT)}",
        ),
    ]


def _listed(api: Api, module: str, field: str) -> tuple[int, list[str]]:
    """How many records a module has, and the contacts of its first page."""
    count, number, token, contacts = 0, 1, None, list[str]()
    while True:
        place: dict[str, str | int] = {"page_token": token} if token else {"page": number}
        asked: dict[str, str | int] = {
            "fields": field,
            "per_page": PER_PAGE,
            "sort_by": "id",
            "sort_order": "asc",
        }
        body = api.get(module, asked | place).body
        rows, page = rows_of(body), page_of(body)
        if not contacts:
            related = (row.get("Related_To") for row in rows)
            contacts = [str(contact["id"]) for contact in related if contact and contact.get("id")]
        count += len(rows)
        number += 1
        token = page.get("next_page_token") if number > PAGES_BY_NUMBER else None
        if not page.get("more_records"):
            return count, contacts


def _mails_of(api: Api, contacts: Sequence[str]) -> float:
    """Mails of a contact on average, by the first few."""
    looked_at = sorted(set(contacts))[:_CONTACTS_LOOKED_AT]
    found = 0
    for contact in looked_at:
        body = api.get(f"Contacts/{contact}/Emails").body
        more = 2 if page_of(body).get("more_records") else 1
        found += len(rows_of(body, "Emails", key="message_id")) * more
    return found / len(looked_at) if looked_at else 0.0
