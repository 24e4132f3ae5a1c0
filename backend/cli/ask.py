"""`suggest-answer ask`: one ticket in the terminal, its candidates as they grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from backend.cli.shared import Start, is_serving, opened
from backend.domain.errors import BadInput, TooLarge, Unavailable
from backend.domain.suggestion import FINISHED, Candidate, Suggestion
from backend.domain.ticket import MAX_TICKET_BYTES, Ticket
from backend.services.database import Database
from backend.services.status import ready
from backend.services.suggest import Ask, cancel_suggestion, current_suggestion, suggest
from backend.settings import Settings
from backend.system.processes import PARENT_VARIABLE

_LOOK_SECONDS = 0.03
_MAX_FILE_BYTES = 2 * MAX_TICKET_BYTES  # JSON may escape what is short in itself
_START_SECONDS = 120.0
_BORDERS = {"done": "green", "failed": "red", "cancelled": "yellow"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--steering", default="", help="A wish for this reply, one sentence.")
@click.option("--model", "names", multiple=True, help="Who answers; may be given several times.")
@click.option("--fresh", is_flag=True, help="Write anew even if this ticket was asked before.")
@click.option("--names", "show_names", is_flag=True, help="Say which model wrote which candidate.")
@click.option("--json", "as_json", is_flag=True, help="Print the finished candidates as JSON.")
@click.pass_obj
def ask(  # noqa: PLR0913 - one for each option
    start: Start,
    file: Path,
    *,
    steering: str,
    names: tuple[str, ...],
    fresh: bool,
    show_names: bool,
    as_json: bool,
) -> None:
    """Answer the ticket in FILE, or on standard input.

    FILE is text (a first line "Subject: …" is the subject) or a JSON object with `subject` and
    `question` or `text`. Uses the running product, or starts it for as long as this takes.
    """
    settings = start.settings()
    request = Ask(read_ticket(file), steering=steering, models=names, fresh=fresh)
    with opened(settings) as db, _product(settings, db) as is_running:
        begun = time.monotonic()
        found = suggest(request, settings=settings.suggest, db=db)
        found = _follow(
            found, db=db, is_running=is_running, console=Console(quiet=as_json), names=show_names
        )
    if as_json:
        click.echo(json.dumps(_plain(found, names=show_names), ensure_ascii=False, indent=2))
    else:
        click.echo(f"{time.monotonic() - begun:.1f} s", err=True)
    if not any(candidate.state == "done" for candidate in found.candidates):
        raise Unavailable("No model wrote an answer; each says above why.")


def read_ticket(file: Path) -> Ticket:
    """The ticket in a file, or on standard input for `-`. Raises BadInput."""
    try:
        source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with source:
            content = source.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise TooLarge(f"{file} is too large: {MAX_TICKET_BYTES:,} are accepted of a ticket.")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is no UTF-8 text.") from error
    if text.lstrip().startswith("{"):
        return _from_json(text, file)
    first, _, rest = text.partition("\n")
    if first.lower().startswith("subject:"):
        return Ticket(subject=first[len("subject:") :].strip(), text=rest)
    return Ticket(text=text)


def _from_json(text: str, file: Path) -> Ticket:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{file} begins like JSON but is none: {error}.") from error
    question = row.get("question") or row.get("text") or ""
    return Ticket(
        text=str(question),
        subject=str(row.get("subject") or ""),
        external_id=str(row.get("id") or ""),
    )


@contextmanager
def _product(settings: Settings, db: Database) -> Iterator[Callable[[], bool]]:
    """The running product, or one that is started for this block; says whether it still runs."""
    if is_serving(settings):
        yield lambda: is_serving(settings)
        return
    command = [sys.executable, "-m", "backend", "--state-dir", str(settings.state_dir)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "serve", "--port", "0"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while (
            not ready(db, named=settings.suggest.models)
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(_LOOK_SECONDS)
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        process.wait()


def _follow(
    found: Suggestion,
    *,
    db: Database,
    is_running: Callable[[], bool],
    console: Console,
    names: bool,
) -> Suggestion:
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            while True:
                found = current_suggestion(found.id, db=db)
                over = found.state in FINISHED
                if over or console.is_terminal:
                    panels = [_panel(candidate, names=names) for candidate in found.candidates]
                    live.update(Group(*panels), refresh=True)
                if over:
                    return found
                if not is_running():
                    raise Unavailable("The product stopped before it had answered. Start it again.")
                time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        cancel_suggestion(found.id, db=db)
        raise


def _panel(candidate: Candidate, *, names: bool) -> Panel:
    title = f"{candidate.label} · {candidate.model}" if names else candidate.label
    if candidate.problem and candidate.state != "done":
        body = Text(candidate.problem_detail or candidate.problem, style="red")
    else:
        body = Text(candidate.text or ("…" if candidate.state == "writing" else "waiting"))
    sources = " · ".join(str(passage["title"]) for passage in candidate.passages)
    return Panel(
        body,
        title=title,
        title_align="left",
        subtitle=Text(sources, style="dim") if sources else None,
        subtitle_align="left",
        border_style=_BORDERS.get(candidate.state, "dim"),
    )


def _plain(found: Suggestion, *, names: bool) -> dict[str, object]:
    return {
        "id": found.id,
        "candidates": [
            {
                "label": candidate.label,
                "state": candidate.state,
                "text": candidate.text,
                "problem": candidate.problem_detail,
                "sources": [passage["title"] for passage in candidate.passages],
                **({"model": candidate.model} if names else {}),
            }
            for candidate in found.candidates
        ],
    }
