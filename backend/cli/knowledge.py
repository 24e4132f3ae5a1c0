"""`suggest-answer import` and `export`: knowledge in, training files out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backend.cli.shared import Start, opened
from backend.domain.errors import BadInput
from backend.privacy.detect import recogniser_named
from backend.services.export import export_examples, export_ratings
from backend.services.import_knowledge import as_it_is, import_export, import_files


@click.command("import")
@click.option("--articles", type=click.Path(path_type=Path), help="JSONL (or .gz) of articles.")
@click.option(
    "--tickets", type=click.Path(path_type=Path), help="JSONL (or .gz) of solved tickets."
)
@click.option("--zoho", type=click.Path(path_type=Path), help="Folder that `zoho export` wrote to.")
@click.option("--as-is", is_flag=True, help="Do not replace personal data in --tickets.")
@click.pass_obj
def import_(
    start: Start, articles: Path | None, tickets: Path | None, zoho: Path | None, as_is: bool
) -> None:
    """Import articles and solved tickets; they are searched at once.

    Article fields: id, title, body, and if there are any summary, url, language, updated.
    Ticket fields: id, subject, question, answer, and if there are any created, language, topic.
    Importing again updates what changed. A file with a bad line is refused as a whole.

    From an export of Zoho only what changed is read; what Zoho deleted is removed here. Personal
    data in tickets is replaced by placeholders such as [NAME_1].
    """
    if not (articles or tickets or zoho):
        raise BadInput(
            "Nothing to import. Give --articles FILE, --tickets FILE, both, or --zoho FOLDER."
        )
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with opened(start.settings()) as db, Progress(*columns, transient=True) as progress:
        task = progress.add_task("importing", total=None)
        if articles or tickets:
            importing = partial(import_files, hide=as_it_is) if as_is else import_files
            imported = importing(
                articles=articles,
                tickets=tickets,
                db=db,
                progress=lambda count: progress.update(task, completed=count),
            )
            progress.console.print(str(imported), highlight=False)
        if zoho:
            found = import_export(
                zoho,
                db=db,
                progress=lambda done, of: progress.update(task, completed=done, total=of),
            )
            progress.console.print(str(found), highlight=False)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_obj
def export(start: Start, folder: Path) -> None:
    """Write ratings.jsonl and examples.jsonl into FOLDER, for the trainer.

    Raters appear under pseudonyms and personal data as placeholders such as [NAME_1]. No detector
    finds everything (docs/privacy.md): look at a sample before files leave the house.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be made: {error.strerror}. Name another folder."
        ) from error
    settings = start.settings()
    recogniser = recogniser_named(settings.privacy.recogniser)
    with opened(settings) as db:
        ratings = export_ratings(folder / "ratings.jsonl", db=db, recogniser=recogniser)
        examples = export_examples(folder / "examples.jsonl", db=db, recogniser=recogniser)
    click.echo(f"{ratings} ratings and {examples} examples in {folder}.")
