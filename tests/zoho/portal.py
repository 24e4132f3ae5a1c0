"""What a local Zoho holds: an organisation's records, its OAuth tokens, what is to go wrong."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.zoho import article_records, crm_records, desk_records
from tests.zoho.desk_records import TicketRecord

Json = dict[str, Any]
CLIENT_ID, CLIENT_SECRET, ORG_ID = "1000.LOCALCLIENT", "local-secret-5f2c", "2389290"


@dataclass
class Fault:
    """What goes wrong, on which paths, how many times; -1 is for ever, `chance` thins it out.

    kinds: `expired`, `error` (with `status`), `busy` (429 without Retry-After), `spent` (429 with
    Retry-After `seconds`), `drop` (the connection closes), `cut` (half a body), `slow`
    (`seconds`), `reply` (the ticket being read gets another message), `delete` (it disappears),
    `not_json`, `strange` (JSON of another shape), `shift` (the first of a list goes), `no_id`
    (rows without their ids), `no_time` (records without their times).
    """

    kind: str
    path: str = ""
    times: int = 1
    chance: float = 1.0
    status: int = 500
    seconds: float = 0.0
    after: int = 0


@dataclass
class Seen:
    """What callers did so far."""

    paths: list[str] = field(default_factory=list)
    grants: Counter[str] = field(default_factory=Counter)
    refused_bearer: int = 0
    running: int = 0
    most_running: int = 0


class Portal:
    """One organisation, and the rules it is served by."""

    def __init__(self, *, tickets: int = 60, cases: int = 40, seed: int = 1) -> None:
        self.made = tickets, cases
        made = [desk_records.ticket(number) for number in range(tickets)]
        self.tickets: dict[str, TicketRecord] = {ticket.id: ticket for ticket in made}
        self.articles = article_records.articles()
        case_records = [crm_records.case(number) for number in range(cases)]
        self.cases = {case.record["id"]: case for case in case_records}
        self.solutions = crm_records.solutions()
        self.deleted: dict[str, list[Json]] = {"Cases": [], "Solutions": []}
        self.faults: list[Fault] = []
        self.seen = Seen()
        self.lock = threading.RLock()
        self.chance = random.Random(seed)
        self.codes: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.access_tokens: dict[str, tuple[str, float]] = {}
        self.token_times: dict[str, list[float]] = {}
        self.token_seconds = 3600.0
        self.credits_left = 1_000_000
        self.parallel_limit = 25
        self.search_limit = 1000
        self.tells_modified_in_lists = True
        self.weights = True
        self.behind = 0.0
        self.organisations = {ORG_ID: "Acme"}
        self._numbers = iter(range(1, 10**9))

    def now(self) -> datetime:
        """The time by Zoho's clock."""
        return datetime.now(UTC) - timedelta(seconds=self.behind)

    def secret(self, kind: str) -> str:
        """A token as Zoho makes them, marked so that a test finds it wherever it leaks."""
        return f"1000.{kind}{next(self._numbers):08x}.{self.chance.getrandbits(128):032x}"

    def take_fault(self, path: str, *kinds: str) -> Fault | None:
        """The first fault of these kinds that strikes this path now, counted as used."""
        with self.lock:
            for fault in self.faults:
                if fault.kind not in kinds or not fault.times or not re.search(fault.path, path):
                    continue
                if fault.after:
                    fault.after -= 1
                elif fault.chance >= 1 or self.chance.random() < fault.chance:
                    fault.times -= fault.times > 0
                    return fault
        return None

    def reply(self, ticket_id: str, text: str = "One more thing.") -> None:
        """A customer writes into a ticket now."""
        self.tickets[ticket_id].add_reply(text, now=self.now())

    def delete(self, kind: str, record_id: str) -> None:
        """A record goes, as someone deletes it in Zoho."""
        with self.lock:
            if kind in self.deleted:
                now = crm_records.stamp(self.now())
                entry = {"id": record_id, "type": "recycle", "deleted_time": now}
                self.deleted[kind].append(entry)
                records: dict[str, Any] = self.cases if kind == "Cases" else self.solutions
            else:
                records = self.tickets if kind == "tickets" else self.articles
            records.pop(record_id, None)

    def shift(self, kind: str) -> None:
        """The first record of a list goes while the list is read."""
        if kind == "archived":
            found = [name for name, ticket in self.tickets.items() if ticket.archived]
            self.delete("tickets", found[0])
        elif kind == "tickets":
            live = [ticket for ticket in self.tickets.values() if not ticket.archived]
            self.delete(kind, min(live, key=lambda ticket: str(ticket.record["createdTime"])).id)
        elif kind == "articles":
            self.delete(kind, next(iter(self.articles)))
        else:
            self.delete(kind, min(self.cases if kind == "Cases" else self.solutions, key=int))

    def touch(self, kind: str, record_id: str) -> None:
        """A record changes now."""
        now = self.now()
        if kind == "tickets":
            self.tickets[record_id].touch(now=now)
        elif kind == "articles":
            self.articles[record_id].record["modifiedTime"] = desk_records.stamp(now)
        else:
            record = self.solutions if kind == "Solutions" else None
            changed = record[record_id] if record else self.cases[record_id].record
            changed["Modified_Time"] = crm_records.stamp(now)

    def withdraw(self, article_id: str) -> None:
        """An article is published no more."""
        self.articles[article_id].record["status"] = "Unpublished"
        self.touch("articles", article_id)

    def touch_all(self, kind: str) -> None:
        """All tickets change in the same millisecond, as after an import."""
        now = self.now()
        for ticket in self.tickets.values():
            ticket.touch(now=now)

    def grant(self, scopes: str) -> str:
        """A code as the Self Client page shows it, for these scopes."""
        code = self.secret("code")
        self.codes[code] = scopes
        return code

    def new_access_token(self, refresh_token: str) -> str | None:
        """An access token; None when this refresh token has made 10 in 10 minutes."""
        now = time.time()
        times = [made for made in self.token_times.get(refresh_token, []) if made > now - 600]
        self.token_times[refresh_token] = times
        if len(times) >= 10:
            return None
        times.append(now)
        token = self.secret("access")
        self.access_tokens[token] = (refresh_token, now + self.token_seconds)
        return token
