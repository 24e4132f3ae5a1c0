"""An export from Desk or CRM: every stream of the product, what was interrupted first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from backend.domain.errors import Unavailable, ZohoForbidden
from backend.zoho.calls import Api, Patience
from backend.zoho.connection import Tokens
from backend.zoho.credits import DAY_SECONDS, Budget
from backend.zoho.crm import Cases, Solutions
from backend.zoho.desk_articles import Articles
from backend.zoho.desk_tickets import Tickets
from backend.zoho.journal import BOOKS, Journal, Span, iso
from backend.zoho.private_files import private_folder
from backend.zoho.running import Outcome, Runner, Source, Step
from backend.zoho.scopes import NAMES, advice, missing

CATCH_UPS = 3


@dataclass(frozen=True)
class Limits:
    """What an export may use, and how long its records stay."""

    credits: int = 0
    leave: int = 0
    parallel: int = 4
    keep_days: int = 0
    recheck_days: int = 7
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Wish:
    """What is to be exported; `since` (ISO) reads again also what did not change."""

    product: str
    since: str | None = None
    department: str = "*"


@dataclass
class Report:
    """What an export did, by stream; `refused` are the ids of what this user may not read."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    skipped_threads: int = 0
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)

    def add(self, stream: str, outcome: Outcome) -> None:
        """Adds one run's."""
        before = self.outcomes.get(stream, Outcome(0, 0))
        self.outcomes[stream] = Outcome(
            before.read + outcome.read, before.deleted + outcome.deleted
        )


def open_api(
    product: str, *, tokens: Tokens, budget: Budget, limits: Limits, stop: threading.Event
) -> Api:
    """The API of a product. Raises ZohoForbidden if the sign-in lacks a scope of its export."""
    connection = tokens.connection
    lacking = missing(connection.scopes, product)
    if lacking:
        raise ZohoForbidden(
            f"{NAMES[product]} cannot be exported. {advice(connection.scopes, product)}"
        )
    desk = product == "desk"
    return Api(
        product=product,
        base=f"{connection.hosts.desk}/api/v1" if desk else f"{connection.hosts.crm}/crm/v8",
        tokens=tokens,
        budget=budget,
        headers={"orgId": connection.org_id} if desk else {},
        patience=limits.patience,
        stop=stop,
    )


def export_all(
    wish: Wish,
    *,
    api: Api,
    folder: Path,
    limits: Limits,
    watch: Callable[[Step], None] = lambda step: None,
) -> Report:
    """Exports, from where the last export got to, into a private folder that is ours `alone`.

    Raises what a call raises; everything read until then is kept, and the next export goes on.
    """
    report = Report()
    runner = Runner(folder, limits.parallel, limits.keep_days, watch, api.stop)
    for source in sources(api):
        if unfinished := runner.unfinished(source.stream):
            report.resumed.append(source.stream)
            report.add(source.stream, runner.run(source, unfinished))
        for number in range(CATCH_UPS):
            journal = Journal(folder, source.stream)
            span = next_span(journal, wish, limits, until=api.zoho_now(), first=number == 0)
            outcome = runner.run(source, span)
            report.add(source.stream, outcome)
            if not outcome.read:
                break
        if refused := Journal(folder, source.stream).refused():
            report.refused[source.stream] = tuple(sorted(refused))
        report.skipped_threads += getattr(source, "skipped_threads", 0)
    return report


def sources(api: Api) -> Sequence[Source]:
    """The streams of a product, the short one first."""
    return (Articles(api), Tickets(api)) if api.product == "desk" else (Solutions(api), Cases(api))


def next_span(journal: Journal, wish: Wish, limits: Limits, *, until: float, first: bool) -> Span:
    """What the next run covers: all that changed since the last one, or what was wished for.

    `until` is the time by Zoho's clock: by a clock ahead of it, changes would be passed over.
    """
    state = journal.state()
    reached = max(state.cursors.get(wish.department, ""), state.cursors.get("*", ""))
    looked = state.looks.get(wish.department) or state.looks.get("*")
    age = until - datetime.fromisoformat(looked).timestamp() if looked else 0.0
    due = looked is None or age > limits.recheck_days * DAY_SECONDS
    wished = wish.since if first else None
    return Span(
        since=wished or reached or None,
        until=iso(until),
        scope=wish.department,
        again=wished is not None,
        full_look=first and (due or wished is not None),
        retry=first,
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The only export of this folder. Raises Unavailable if there is another."""
    private_folder(folder)
    private_folder(folder / BOOKS)
    try:
        with FileLock(folder / BOOKS / "lock", timeout=0, mode=0o600):
            yield
    except Timeout:
        raise Unavailable(
            f"Another export writes into {folder}. Wait for it, or name another folder."
        ) from None
