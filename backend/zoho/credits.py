"""What calls cost: Zoho's daily credits, and a budget kept over all runs.

Desk (help.zoho.com, "Working with API credits"): one record costs 1, a page of a list 3 up to
offset 2,000. CRM (API v8, "API limits"): one call costs 1 here. What Zoho says in its headers
counts more than these rules.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from backend.domain.errors import CreditsSpent
from backend.system.database import transaction
from backend.zoho.oauth import PRODUCT_NAMES

RECORD, LIST_PAGE = 1, 3
_DAY_SECONDS = 86_400.0
_BUCKET_SECONDS = 600.0
_SAVE_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """An edition's credits in 24 hours, and calls at once."""

    base: int
    per_user: int
    parallel: int

    def credits(self, users: int) -> int:
        """Credits in 24 hours with this many users."""
        return self.base + self.per_user * users


PLANS = {
    "desk": {
        "free": Plan(5_000, 0, 5),
        "express": Plan(25_000, 100, 10),
        "standard": Plan(50_000, 250, 10),
        "professional": Plan(75_000, 500, 15),
        "enterprise": Plan(100_000, 1_000, 25),
    },
    "crm": {
        "free": Plan(5_000, 0, 5),
        "standard": Plan(50_000, 250, 10),
        "professional": Plan(50_000, 500, 15),
        "enterprise": Plan(50_000, 1_000, 20),
        "ultimate": Plan(50_000, 2_000, 25),
    },
}


def cost_of(product: str, params: Mapping[str, str | int]) -> int:
    """Credits of a call: only Desk's lists, which are those with a limit, cost more than 1."""
    if product != "desk" or "limit" not in params:
        return RECORD
    return list_page(int(params.get("from", 0)))


def list_page(offset: int) -> int:
    """Credits of a page of a Desk list. The steps beyond 5,000 are a cautious reading."""
    for until, cost in ((2_000, 3), (5_000, 5), (10_000, 10), (50_000, 50)):
        if offset < until:
            return cost
    return 100


class Budget:
    """What exports of one product may still spend within 24 hours.

    `limit` 0 means: whatever Zoho leaves, less `leave`. Shared by threads, which is why its
    connection to the database of the sync is its own. Written every two seconds, so a kill
    forgets two seconds of spending at most. Without a database nothing is kept.
    """

    def __init__(
        self,
        product: str,
        *,
        database: Database | None = None,
        limit: int = 0,
        leave: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db, self.product = database, product
        self.limit, self._leave, self._clock = limit, leave, clock
        self._lock = threading.Lock()
        self._spent = self._read()
        self._saved_at = 0.0
        self.run = 0
        self.remaining: int | None = None

    @property
    def spent(self) -> int:
        """Credits that exports of this product spent in the last 24 hours."""
        with self._lock:
            return self._recent()

    def take(self, cost: int) -> None:
        """Counts a call before it is made. Raises CreditsSpent when it would go too far."""
        with self._lock:
            if self.remaining is not None and self.remaining - cost < self._leave:
                raise CreditsSpent(
                    f"{PRODUCT_NAMES[self.product]} has {self.remaining:,} credits left today, and "
                    f"zoho.leave_credits keeps {self._leave:,} for others. Everything read so far "
                    "is kept: run the export again tomorrow and it goes on from there."
                )
            if self.limit and self._recent() + cost > self.limit:
                raise CreditsSpent(
                    f"The budget of {self.limit:,} credits in 24 hours is spent. Everything read "
                    "so far is kept: run the export again later and it goes on from there, or "
                    "give more with --credits."
                )
            self._add(cost)

    def settle(self, cost: int, *, weight: int | None, remaining: int | None) -> None:
        """Puts right what was counted, by what Zoho says of the call."""
        with self._lock:
            if weight is not None:
                self._add(weight - cost)
            if remaining is not None:
                self.remaining = remaining
            if self._clock() - self._saved_at > _SAVE_SECONDS:
                self._save()

    def save(self) -> None:
        """Writes down what was spent."""
        with self._lock:
            self._save()

    def _add(self, credits: int) -> None:
        bucket = int(self._clock() // _BUCKET_SECONDS)
        self._spent[bucket] = self._spent.get(bucket, 0) + credits
        self.run += credits

    def _recent(self) -> int:
        oldest = self._oldest_bucket()
        return sum(spent for bucket, spent in self._spent.items() if bucket >= oldest)

    def _oldest_bucket(self) -> int:
        return int((self._clock() - _DAY_SECONDS) // _BUCKET_SECONDS)

    def _save(self) -> None:
        self._saved_at = self._clock()
        if self._db is None:
            return
        oldest = self._oldest_bucket()
        self._spent = {bucket: spent for bucket, spent in self._spent.items() if bucket >= oldest}
        rows = [(self.product, bucket, spent) for bucket, spent in self._spent.items()]
        with transaction(self._db):
            self._db.execute("DELETE FROM credits WHERE product = ?", [self.product])
            self._db.conn.executemany("INSERT INTO credits VALUES (?, ?, ?)", rows)

    def _read(self) -> dict[int, int]:
        if self._db is None:
            return {}
        query = "SELECT bucket, spent FROM credits WHERE product = ?"
        return dict(self._db.execute(query, [self.product]).fetchall())
