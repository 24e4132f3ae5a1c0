"""`suggest-answer models`: what answers, and what runs of it."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from backend.cli.shared import Start, opened
from backend.services import deploy, fetch_model
from backend.services.status import model_states
from backend.settings import Settings
from backend.system.hub import ENDPOINT, TOKEN_VARIABLE, Hub


@click.group()
def models() -> None:
    """List, add, activate, promote and roll back models."""


@models.command("list")
@click.pass_obj
def list_(start: Start) -> None:
    """All models, which are active, and what runs."""
    table = Table("Model", "Kind", "Active", "State", "Names", "Problem")
    with opened(start.settings()) as db:
        for found in model_states(db):
            table.add_row(
                found.model.name,
                found.model.kind,
                "yes" if found.model.active else "",
                found.state,
                ", ".join(found.aliases),
                found.problem,
            )
    Console().print(table)


@models.command()
@click.argument("file")
@click.option("--name", default="", help="Its name here; default: from its card or file name.")
@click.option("--sha256", default="", help="The hash the file must have.")
@click.option("--active/--inactive", default=False, help="Let it answer clicks at once.")
@click.pass_obj
def add(start: Start, file: str, name: str, sha256: str, active: bool) -> None:
    """Register the GGUF in FILE. Its model card is read from beside it.

    FILE may also be hf://org/repository/file.gguf@COMMIT: it is fetched from the Hugging Face hub
    then, with its card; for a private repository put a token into HF_TOKEN.
    """
    settings = start.settings()
    path = _fetched(file, settings) if file.startswith(fetch_model.SCHEME) else Path(file)
    with opened(settings) as db:
        model = deploy.add_gguf(path, name=name, sha256=sha256, active=active, db=db)
    click.echo(f"Added {model.name} (sha256 {model.sha256[:12]}…).{_next_step(active, model.name)}")


def _fetched(text: str, settings: Settings) -> Path:
    file = fetch_model.hub_file(text)
    hub = Hub(os.environ.get(TOKEN_VARIABLE, ""), os.environ.get("HF_ENDPOINT") or ENDPOINT)
    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("fetching", total=None)
        return fetch_model.fetch(
            file,
            settings.state_dir / "models",
            hub=hub,
            progress=lambda done, total: progress.update(task, completed=done, total=total or None),
        )


@models.command("add-chat")
@click.argument("name")
@click.argument("base_url")
@click.option("--remote-name", default="", help="The model's name there, such as gpt-3.5-turbo.")
@click.option("--key-variable", default="", help="Environment variable with the endpoint's key.")
@click.option("--active/--inactive", default=False, help="Let it answer clicks at once.")
@click.pass_obj
def add_chat(
    start: Start, name: str, base_url: str, *, remote_name: str, key_variable: str, active: bool
) -> None:
    """Register an OpenAI-compatible endpoint: ChatGPT, vLLM, Ray Serve, llama-server.

    Prompts that leave this machine have placeholders instead of personal data.
    """
    with opened(start.settings()) as db:
        model = deploy.add_chat(
            name,
            base_url,
            remote_name=remote_name,
            key_variable=key_variable,
            active=active,
            db=db,
        )
    click.echo(f"Added {model.name} at {model.base_url}.{_next_step(active, model.name)}")
    if key_variable and not os.environ.get(key_variable):
        click.echo(f"{key_variable} is not set here. `serve` needs it in its own environment.")


@models.command("add-nearest")
@click.option("--name", default="nearest", show_default=True)
@click.option("--active/--inactive", default=True, help="Let it answer clicks at once.")
@click.pass_obj
def add_nearest(start: Start, name: str, active: bool) -> None:
    """Register the engine without a model: the answer to the most similar solved ticket."""
    with opened(start.settings()) as db:
        model = deploy.add_nearest(name=name, active=active, db=db)
    click.echo(f"Added {model.name}.")


@models.command()
@click.argument("name")
@click.pass_obj
def activate(start: Start, name: str) -> None:
    """Let NAME answer clicks, once its runner is ready."""
    with opened(start.settings()) as db:
        deploy.activate(name, db=db)
    click.echo(f"{name} is active.")


@models.command()
@click.argument("name")
@click.pass_obj
def deactivate(start: Start, name: str) -> None:
    """Let NAME answer no new click."""
    with opened(start.settings()) as db:
        deploy.deactivate(name, db=db)
    click.echo(f"{name} is not active.")


@models.command()
@click.argument("name")
@click.pass_obj
def promote(start: Start, name: str) -> None:
    """Make NAME the production model, once it has answered; the last one steps back."""
    with opened(start.settings()) as db:
        deploy.promote(name, db=db)
    click.echo(f"{name} becomes production as soon as it has answered. See `models list`.")


@models.command()
@click.argument("name")
@click.pass_obj
def rollback(start: Start, name: str) -> None:
    """NAME is production: make production again what it was before."""
    with opened(start.settings()) as db:
        model = deploy.roll_back(name, db=db)
    click.echo(f"{model.name} becomes production again as soon as it has answered.")


@models.command()
@click.argument("name")
@click.pass_obj
def remove(start: Start, name: str) -> None:
    """Take NAME out for good. Its ratings stay, its file too."""
    with opened(start.settings()) as db:
        deploy.remove(name, db=db)
    click.echo(f"{name} is removed.")


def _next_step(active: bool, name: str) -> str:
    return "" if active else f" Next: `suggest-answer models activate {name}`."
