"""`suggest-answer zoho export` and `prune`: raw records in, old ones out.

How far an export is: bars with rate and time left, or lines where there is no terminal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from backend.cli.shared import Start
from backend.domain.errors import BadInput
from backend.settings import Settings
from backend.zoho.client import Api, Patience
from backend.zoho.connection import ConnectionFile, Tokens
from backend.zoho.credit_forecast import days, forecast
from backend.zoho.credits import PLANS, Budget
from backend.zoho.oauth import NAMES
from backend.zoho.sync import (
    Limits,
    Step,
    Wish,
    alone,
    export_all,
    next_span,
    open_api,
    prune_folder,
    sources,
)
from backend.zoho.sync_state import BOOKS, Journal

_WIDE = 120
_IDS_SHOWN = 20
_LONG_STREAM = {"desk": "desk/tickets", "crm": "crm/cases"}


@click.command()
@click.option("--desk", is_flag=True, help="Zoho Desk: articles and tickets.")
@click.option("--crm", is_flag=True, help="Zoho CRM: Solutions and Cases.")
@click.option("--since", help="Read again everything changed since, such as 2026-01-31.")
@click.option("--department", default="*", help="Only this department's tickets (its id).")
@click.option("--credits", type=int, help="Credits to spend in 24 hours at most.")
@click.option("--forecast", "only_forecast", is_flag=True, help="Say what it would cost, no more.")
@click.option("--folder", type=click.Path(path_type=Path), help="Default: zoho/raw in the state.")
@click.pass_obj
def export(
    start: Start, /, desk: bool, crm: bool, since: str | None, department: str, **more: object
) -> None:
    """Export Desk or CRM into a private folder of raw records.

    The first export reads everything, later ones what changed. Ended at any moment, by whatever,
    the next one goes on where it stopped. See docs/zoho.md.
    """
    products = [name for name, chosen in (("desk", desk), ("crm", crm)) if chosen]
    if not products:
        raise BadInput("Nothing to export. Give --desk, --crm, or both.")
    settings = start.settings()
    folder = more["folder"] if isinstance(more["folder"], Path) else raw_folder(settings)
    credits = more["credits"]
    moment = _moment(since)
    for product in products:
        limits = limits_of(settings, product, credits if isinstance(credits, int) else None)
        with alone(folder), _api(product, settings, folder, limits) as api:
            console = Console(width=None if Console().is_terminal else _WIDE)
            job = _Job(Wish(product, moment, department), api, folder, limits, console)
            if more["only_forecast"] or not job.interrupted:
                _show_forecast(job, settings)
            if not more["only_forecast"]:
                _export(job)


@dataclass(frozen=True)
class _Job:
    """One product to export, with all that it takes."""

    wish: Wish
    api: Api
    folder: Path
    limits: Limits
    console: Console

    @property
    def interrupted(self) -> bool:
        """Whether an earlier export is to be finished first."""
        streams = (source.stream for source in sources(self.api))
        return any(Journal(self.folder, one).state().phase != "idle" for one in streams)


def _export(job: _Job) -> None:
    with progress(job.console) as watch:
        report = export_all(
            job.wish, api=job.api, folder=job.folder, limits=job.limits, watch=watch
        )
    for stream in report.resumed:
        job.console.print(f"{stream}: an interrupted export was finished first.")
    for stream, outcome in report.outcomes.items():
        deleted = f", {outcome.deleted:,} of them deleted" if outcome.deleted else ""
        job.console.print(f"{stream}: {outcome.read:,} records{deleted}.")
    for stream, ids in report.refused.items():
        job.console.print(_left_out(stream, ids))
    if report.skipped_threads:
        job.console.print(f"{report.skipped_threads:,} messages had disappeared: skipped.")
    job.console.print(f"This export cost {job.api.budget.run:,} credits. Raw records: {job.folder}")
    _show_left(job)


def _left_out(stream: str, ids: Sequence[str]) -> str:
    """What this user may not read, with the first ids."""
    count = "1 record" if len(ids) == 1 else f"{len(ids):,} records"
    more = f" and {len(ids) - _IDS_SHOWN:,} more" if len(ids) > _IDS_SHOWN else ""
    return (
        f"{stream}: {count} left out, which Zoho refuses to the user who signed in: "
        f"{', '.join(ids[:_IDS_SHOWN])}{more}. The next export tries again."
    )


def raw_folder(settings: Settings) -> Path:
    """Where raw records go unless another folder is named."""
    return settings.state_dir / "zoho" / "raw"


def limits_of(settings: Settings, product: str, credits: int | None) -> Limits:
    """What the settings, and the command line over them, let an export use."""
    found = settings.zoho
    plan = PLANS[product].get(found.edition)
    return Limits(
        credits=found.credits if credits is None else credits,
        leave=found.leave_credits,
        parallel=min(found.parallel, plan.parallel) if plan else found.parallel,
        keep_days=found.keep_raw_days,
        recheck_days=found.recheck_days,
        patience=Patience(longest_wait_seconds=found.wait_seconds),
    )


@contextmanager
def _api(product: str, settings: Settings, folder: Path, limits: Limits) -> Iterator[Api]:
    """The product's API, and its budget saved at the end however that comes."""
    budget = Budget(
        folder / BOOKS / f"{product}.credits", product, limit=limits.credits, leave=limits.leave
    )
    tokens = Tokens(ConnectionFile(settings.state_dir / "zoho"))
    api = open_api(product, tokens=tokens, budget=budget, limits=limits, stop=threading.Event())
    try:
        yield api
    finally:
        budget.save()


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date. Write it as 2026-01-31.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def _show_forecast(job: _Job, settings: Settings) -> None:
    chosen, product = settings.zoho, job.api.product
    journal = Journal(job.folder, _LONG_STREAM[product])
    until = job.api.zoho_now()
    found = forecast(job.api, next_span(journal, job.wish, job.limits, until=until, first=True))
    table = Table("", "Records", "Credits", "", title=f"Forecast for {NAMES[product]}")
    for item in found.items:
        table.add_row(item.what, f"{item.count:,}", f"{item.credits:,}", item.note)
    table.add_row("all", "", f"{found.credits:,}", "", style="bold")
    job.console.print(table)
    people = "1 user" if chosen.users == 1 else f"{chosen.users:,} users"
    title = f"With {people}, leaving {job.limits.leave:,} a day to others"
    editions = Table("Edition", "Credits a day", "Days", title=title)
    for row in days(found, users=chosen.users, leave=job.limits.leave, budget=job.limits.credits):
        if chosen.edition in ("", row.edition):
            editions.add_row(row.edition, f"{row.credits_a_day:,}", f"{row.days:,}")
    job.console.print(editions)
    _show_left(job)


def _show_left(job: _Job) -> None:
    budget = job.api.budget
    left = "" if budget.remaining is None else f" Zoho says {budget.remaining:,} are left today."
    limit = f" of the budget of {budget.limit:,}" if budget.limit else ""
    job.console.print(f"Spent by exports in 24 hours: {budget.spent:,} credits{limit}.{left}")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Default: zoho/raw in the state.")
@click.pass_obj
def prune(start: Start, folder: Path | None) -> None:
    """Delete raw records exported more than zoho.keep_raw_days ago. Exports do it too."""
    settings = start.settings()
    days_kept = settings.zoho.keep_raw_days
    if not days_kept:
        raise BadInput(
            "zoho.keep_raw_days is 0, so raw records are kept. Set it to a number of days."
        )
    for line in prune_folder(folder or raw_folder(settings), keep_days=days_kept):
        click.echo(line)


class _Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last half minute, or nothing yet."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def progress(console: Console) -> Iterator[Watch]:
    """Bars on a terminal; elsewhere a line when a stream's phase begins."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield Watch(bars, console)


class Watch:
    """Shows each step."""

    def __init__(self, bars: Progress, console: Console) -> None:
        self._bars, self._console = bars, console
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, step: Step) -> None:
        """One step further."""
        name = (step.stream, step.phase)
        if not step.done and (name in self._tasks or step.total == 0):
            return  # the look at the end for what changed meanwhile, mostly nothing
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(f"{step.phase} {step.stream}", total=step.total)
            if not self._console.is_terminal:
                of = "" if step.total is None else f" {step.total - step.done:,} records"
                self._console.print(f"{step.phase} {step.stream}{of}")
        self._bars.update(self._tasks[name], completed=step.done, total=step.total)
