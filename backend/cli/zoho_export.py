"""`suggest-answer zoho export` and `prune`: raw records in, old ones out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from backend.services import export_zoho
from backend.services.export_zoho import ZohoExport, open_export, raw_folder
from backend.settings import Settings

_WIDE = 120
_IDS_SHOWN = 20


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
    credits = more["credits"] if isinstance(more["credits"], int) else None
    moment = _moment(since)
    console = Console(width=None if Console().is_terminal else _WIDE)
    for product in products:
        with open_export(
            product,
            settings=settings,
            path=folder,
            since=moment,
            department=department,
            credits=credits,
        ) as opened:
            if more["only_forecast"] or not opened.is_interrupted:
                _show_forecast(opened, settings, console)
            if not more["only_forecast"]:
                _export(opened, console)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Default: zoho/raw in the state.")
@click.pass_obj
def prune(start: Start, folder: Path | None) -> None:
    """Delete raw records exported more than zoho.keep_raw_days ago. Exports do it too."""
    settings = start.settings()
    keep_days = settings.zoho.keep_raw_days
    for line in export_zoho.prune(folder or raw_folder(settings), keep_days=keep_days):
        click.echo(line)


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date. Write it as 2026-01-31.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def _show_forecast(export: ZohoExport, settings: Settings, console: Console) -> None:
    found, zoho = export.forecast(), settings.zoho
    table = Table("", "Records", "Credits", "", title=f"Forecast for {export.name}")
    for item in found.items:
        table.add_row(item.what, f"{item.count:,}", f"{item.credits:,}", item.note)
    table.add_row("all", "", f"{found.credits:,}", "", style="bold")
    console.print(table)
    people = "1 user" if zoho.users == 1 else f"{zoho.users:,} users"
    title = f"With {people}, leaving {zoho.leave_credits:,} a day to others"
    editions = Table("Edition", "Credits a day", "Days", title=title)
    for row in export.days(found, zoho):
        editions.add_row(row.edition, f"{row.credits_a_day:,}", f"{row.days:,}")
    console.print(editions)
    _show_left(export, console)


def _export(export: ZohoExport, console: Console) -> None:
    with _progress(console) as watch:
        report = export.run(watch)
    for stream in report.resumed:
        console.print(f"{stream}: an interrupted export was finished first.")
    for stream, outcome in report.outcomes.items():
        deleted = f", {outcome.deleted:,} of them deleted" if outcome.deleted else ""
        console.print(f"{stream}: {outcome.read:,} records{deleted}.")
    for stream, ids in report.refused.items():
        console.print(_left_out(stream, ids))
    if report.skipped_threads:
        console.print(f"{report.skipped_threads:,} messages had disappeared: skipped.")
    console.print(
        f"This export cost {export.budget.run:,} credits. Raw records: {export.folder.path}"
    )
    _show_left(export, console)


def _left_out(stream: str, ids: Sequence[str]) -> str:
    """What this user may not read, with the first ids."""
    count = "1 record" if len(ids) == 1 else f"{len(ids):,} records"
    more = f" and {len(ids) - _IDS_SHOWN:,} more" if len(ids) > _IDS_SHOWN else ""
    return (
        f"{stream}: {count} left out, which Zoho refuses to the user who signed in: "
        f"{', '.join(ids[:_IDS_SHOWN])}{more}. The next export tries again."
    )


def _show_left(export: ZohoExport, console: Console) -> None:
    budget = export.budget
    left = "" if budget.remaining is None else f" Zoho says {budget.remaining:,} are left today."
    limit = f" of the budget of {budget.limit:,}" if budget.limit else ""
    console.print(f"Spent by exports in 24 hours: {budget.spent:,} credits{limit}.{left}")


@contextmanager
def _progress(console: Console) -> Iterator[_ProgressBars]:
    """Bars on a terminal; elsewhere a line when a stream's phase begins."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield _ProgressBars(bars, console)


class _ProgressBars:
    """A bar for each phase of each stream, or lines where there is no terminal."""

    def __init__(self, bars: Progress, console: Console) -> None:
        self._bars, self._console = bars, console
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, stream: str, phase: str, done: int, total: int | None) -> None:
        """One step further."""
        name = (stream, phase)
        if not done and (name in self._tasks or total == 0):
            return  # the look at the end for what changed meanwhile, mostly nothing
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(f"{phase} {stream}", total=total)
            if not self._console.is_terminal:
                of = "" if total is None else f" {total - done:,} records"
                self._console.print(f"{phase} {stream}{of}")
        self._bars.update(self._tasks[name], completed=done, total=total)


class _Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last half minute, or nothing yet."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
