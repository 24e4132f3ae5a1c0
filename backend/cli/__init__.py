"""The command line: settings are read here, and the product's errors become text and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from backend.cli.ask import ask
from backend.cli.knowledge import export, import_
from backend.cli.models import models
from backend.cli.redact import redact
from backend.cli.report import report
from backend.cli.serve import serve
from backend.cli.settings import explain
from backend.cli.shared import Start
from backend.cli.zoho import zoho
from backend.domain.errors import BadInput, BadSettings, ProductError
from backend.settings import FILE_VARIABLE, PREFIX

USAGE_ERROR, FAILURE, INTERRUPTED = 2, 1, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where all state lives.")
@click.option("--settings-file", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.version_option(package_name="suggest-answer")
@click.pass_context
def cli(context: click.Context, state_dir: Path | None, settings_file: Path | None) -> None:
    """Suggest answers to support tickets, with models of your own.

    `serve` runs the product. `import` feeds it articles and solved tickets, `models` adds and
    promotes what answers, `ask` tries one ticket here in the terminal, `report` prints what raters
    think, `export` writes the files that the trainer reads, `zoho` exports Zoho Desk and CRM,
    and `redact` takes personal data out of any text.
    """
    if settings_file:
        os.environ[FILE_VARIABLE] = str(settings_file)
    overrides: dict[str, Any] = {}
    if state_dir:
        os.environ[PREFIX + "STATE_DIR"] = str(state_dir)  # the settings file may lie there
        overrides["state_dir"] = state_dir
    context.obj = Start(overrides)


@cli.command()
@click.pass_obj
def settings(start: Start) -> None:
    """Print each setting, its value and where it came from."""
    table = Table("Setting", "Value", "From", "What it is")
    for line in explain(start.settings(), overrides=start.overrides):
        table.add_row(line.name, line.value, line.source, line.description)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


for command in (serve, ask, import_, models, report, export, zoho, redact):
    cli.add_command(command)


def main() -> None:
    """Runs a command; an error the product knows is one sentence and an exit status."""
    try:
        cli(standalone_mode=False)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILURE)
    except ProductError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(USAGE_ERROR if isinstance(error, BadInput | BadSettings) else FAILURE)
