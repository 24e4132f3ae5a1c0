"""`suggest-answer report`: the study's tables out of what raters said."""

from __future__ import annotations

import click
from rich.console import Console

from backend.cli.shared import Start, opened
from backend.domain.rubric import rubric_named
from backend.services.report import REPORTS, as_csv, as_json, as_terminal
from backend.services.report import report as report_table

_WIDE = 160


@click.command()
@click.argument("name", type=click.Choice(list(REPORTS)))
@click.option("--rubric", default=None, help="quality (four criteria) or relevance.")
@click.option("--rubric-version", type=int, default=None, help="Default: the newest.")
@click.option("--model", "names", multiple=True, help="Put this model first; repeatable.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@click.pass_obj
def report(
    start: Start,
    name: str,
    rubric: str | None,
    rubric_version: int | None,
    names: tuple[str, ...],
    form: str,
) -> None:
    """Print a table of ratings by model.

    counts: how often 1 to 5 was given. shares: negative (1-2) and positive (3-5) in percent.
    means: the weighted mean by criterion and in total.
    """
    settings = start.settings()
    with opened(settings) as db:
        table = report_table(
            name, rubric_named(rubric or settings.rubric, rubric_version), models=names, db=db
        )
    if form == "csv":
        click.echo(as_csv(table), nl=False)
    elif form == "json":
        click.echo(as_json(table), nl=False)
    else:
        console = Console()
        Console(width=None if console.is_terminal else _WIDE).print(as_terminal(table))
