"""`suggest-answer serve`: the whole product in the foreground."""

from __future__ import annotations

import threading
import time

import click

from backend.cli.shared import Start, opened
from backend.log import log_file
from backend.loopback import answers
from backend.processes import die_with_parent
from backend.services.demo import prepare_demo
from backend.services.overview import model_states
from backend.serving import supervise
from backend.settings import Settings

_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 5.0


@click.command()
@click.option("--demo", is_flag=True, default=None, help="Serve the demo help desk and its models.")
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=int, help="Port (default 8600; 0 takes a free one).")
@click.pass_obj
def serve(start: Start, demo: bool | None, host: str | None, port: int | None) -> None:
    """Run web, worker and a runner for each active model, until Ctrl-C."""
    die_with_parent()  # of a command that started it for a while; by hand, nothing
    web = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = start.settings(demo=demo, web=web or None)
    if settings.demo:
        with opened(settings) as db:
            prepare_demo(db=db)
    supervise(settings, ready=lambda address: _announce(address, settings))


def _announce(address: str, settings: Settings) -> None:
    threading.Thread(target=_tell_when_ready, args=(address, settings), daemon=True).start()


def _tell_when_ready(address: str, settings: Settings) -> None:
    while not answers(address + "/healthz", timeout=_ANSWER_SECONDS):
        time.sleep(_LOOK_SECONDS)
    if settings.demo:
        click.echo(f"\n  Demo help desk: {address}/")
        click.echo('  Open a ticket and click "Suggest answer".\n')
    else:
        click.echo(f"\n  suggest answer: {address}/api/v1")
        click.echo("  It has no page of its own: agents use the widget in Zoho (docs/admins.md).\n")
    while not answers(address + "/readyz", timeout=_ANSWER_SECONDS):
        time.sleep(_LOOK_SECONDS)
        if problem := _hopeless(settings):
            click.echo(f"  {problem}", err=True)
            break
    else:
        click.echo("  All models are ready.")
    click.echo(f"  State: {settings.state_dir}   Log: {log_file(settings)}   Ctrl-C ends it.")


def _hopeless(settings: Settings) -> str:
    """What a person has to do before any model can answer, or nothing if waiting will do."""
    with opened(settings) as db:
        active = [one for one in model_states(db) if one.model.active]
    if not active:
        return "No model is active yet. Add one: `suggest-answer models add --help`."
    if all(one.state == "failed" for one in active):
        return f"No model can run. {active[0].model.name}: {active[0].problem}"
    return ""
