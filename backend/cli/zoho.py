"""`suggest-answer zoho`: connect, status, disconnect; export is in a module of its own."""

from __future__ import annotations

import os
from pathlib import Path

import click

from backend.cli.shared import Start
from backend.cli.zoho_export import export, prune
from backend.domain.errors import BadInput, ZohoNotConnected
from backend.services import connect_zoho
from backend.services.connect_zoho import DATA_CENTRE_NAMES, Consent, SignInRequest

SECRET_VARIABLE, CODE_VARIABLE = "ZOHO_CLIENT_SECRET", "ZOHO_CODE"
REDIRECT_PORT = 8635


@click.group()
def zoho() -> None:
    """Sign in to Zoho, and export Desk and CRM into a private folder."""


@zoho.command("connect")
@click.option("--dc", type=click.Choice(DATA_CENTRE_NAMES), help="Data centre: zoho.eu is eu.")
@click.option("--client-id", help="Of the client in Zoho's API console.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="File with its secret.")
@click.option("--product", type=click.Choice(["desk", "crm", "both"]), default="both")
@click.option("--org", default="", help="Desk organisation, if the user has several.")
@click.option("--browser", is_flag=True, help="Server-based client: agree in a browser.")
@click.option("--paste", is_flag=True, help="With --browser, when it runs on another machine.")
@click.option("--redirect-port", type=int, default=REDIRECT_PORT, show_default=True)
@click.option("--accounts-url", default="", help="Another accounts host.")
@click.option("--desk-url", default="", help="Another Desk host.")
@click.option("--crm-url", default="", help="Another CRM API host.")
@click.pass_obj
def connect(start: Start, /, **given: object) -> None:
    """Sign in once; the sign-in is kept in a private file and renewed by itself.

    Without --browser: make a Self Client in Zoho's API console (https://api-console.zoho.com, or
    .eu, .in … for your data centre), generate a code for the scopes that are printed, and enter it
    here. The client's secret and the code are asked for, or read from ZOHO_CLIENT_SECRET (or
    --secret-file) and ZOHO_CODE; they are never arguments. See docs/zoho.md.
    """
    asked = {name: str(value or "") for name, value in given.items()}
    data_centre = asked["dc"] or click.prompt("Data centre", type=click.Choice(DATA_CENTRE_NAMES))
    request = connect_zoho.sign_in_request(
        client_id=asked["client_id"] or click.prompt("Client id"),
        client_secret=_secret(given["secret_file"]),
        data_centre=data_centre,
        hosts={name: asked[f"{name}_url"] for name in ("accounts", "crm", "desk")},
        products=() if asked["product"] == "both" else (asked["product"],),
    )
    folder = connect_zoho.sign_in_folder(start.settings())
    if given["browser"]:
        _connect_by_browser(
            request, folder, paste=bool(given["paste"]), port=int(asked["redirect_port"] or 0)
        )
    else:
        click.echo(f"Generate a code for these scopes:\n{','.join(request.scopes)}")
        connect_zoho.connect(_hidden(CODE_VARIABLE, "Code"), request, folder=folder)
    _choose_organisation(folder, asked["org"])


def _connect_by_browser(request: SignInRequest, folder: Path, *, paste: bool, port: int) -> None:
    if paste:
        connect_zoho.connect_by_address(request, port=port, ask=_ask_for_address, folder=folder)
    else:
        connect_zoho.connect_by_browser(request, port=port, show=_show, folder=folder)


def _show(consent: Consent) -> None:
    click.echo(
        f"The client's redirect address must be {consent.redirect_uri}\n"
        f"Open and agree:\n{consent.url}"
    )


def _ask_for_address(consent: Consent) -> str:
    _show(consent)
    return str(click.prompt("Address you came back to", hide_input=True))


def _choose_organisation(folder: Path, org: str) -> None:
    names = connect_zoho.exportable(folder)
    if "desk" in names:
        found = connect_zoho.organisations(folder)
        if not org and len(found) > 1:
            for org_id, name in found.items():
                click.echo(f"{org_id}  {name}")
            org = click.prompt("Which Desk organisation", type=click.Choice(list(found)))
        click.echo(f"Desk organisation: {connect_zoho.choose_organisation(folder, org)}.")
    products = " and ".join(names.values())
    click.echo(f"Connected: {products} can be exported. The sign-in is in {folder}.")


def _secret(file: object) -> str:
    if isinstance(file, Path):
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{file} cannot be read. Name a file with the secret.") from error
    return _hidden(SECRET_VARIABLE, "Client secret")


def _hidden(variable: str, question: str) -> str:
    found = os.environ.get(variable) or click.prompt(question, hide_input=True)
    return str(found).strip()


@zoho.command("status")
@click.pass_obj
def status(start: Start) -> None:
    """Say what is connected and with which scopes, and make a test call."""
    folder = connect_zoho.sign_in_folder(start.settings())
    connection = connect_zoho.kept_sign_in(folder)
    hosts = connection.hosts
    click.echo(f"Data centre {connection.data_centre}: {hosts.accounts}, {hosts.desk}, {hosts.crm}")
    click.echo(f"Client {connection.client_id}; scopes {', '.join(sorted(connection.scopes))}")
    checks = connect_zoho.check_connection(folder)
    for check in checks:
        mark, colour = ("works", "green") if check.works else ("fails", "yellow")
        click.secho(f"{mark}  {check.said}", fg=colour)
    if not any(check.works for check in checks):
        raise ZohoNotConnected("Nothing can be exported with this sign-in; see above.")


@zoho.command("disconnect")
@click.pass_obj
def disconnect(start: Start) -> None:
    """Revoke the sign-in at Zoho and delete it here."""
    known = connect_zoho.disconnect(connect_zoho.sign_in_folder(start.settings()))
    click.echo(
        "Revoked and deleted."
        if known
        else "Deleted here. Zoho did not know it any more: it had been revoked before."
    )


zoho.add_command(export)
zoho.add_command(prune)
