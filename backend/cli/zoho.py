"""`suggest-answer zoho`: connect, status, disconnect; export is in a module of its own."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path

import click

from backend.cli.shared import Start
from backend.cli.zoho_export import export, prune
from backend.domain.errors import BadInput, ZohoNotConnected
from backend.settings import Settings
from backend.zoho.connecting import (
    Place,
    check,
    choose_organisation,
    connect,
    disconnect,
    organisations,
)
from backend.zoho.connection import ConnectionFile
from backend.zoho.data_centres import DATA_CENTRES, chosen_hosts, signed_in_at
from backend.zoho.oauth import (
    NAMES,
    PRODUCTS,
    Callback,
    Client,
    Returned,
    consent_address,
    products,
    returned,
)

SECRET_VARIABLE, CODE_VARIABLE = "ZOHO_CLIENT_SECRET", "ZOHO_CODE"
REDIRECT_PORT = 8635


@click.group()
def zoho() -> None:
    """Sign in to Zoho, and export Desk and CRM into a private folder."""


def connection_file(settings: Settings) -> ConnectionFile:
    """Where the sign-in is kept."""
    return ConnectionFile(settings.state_dir / "zoho")


@zoho.command("connect")
@click.option("--dc", type=click.Choice(list(DATA_CENTRES)), help="Data centre: zoho.eu is eu.")
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
def connect_(start: Start, /, **given: object) -> None:
    """Sign in once; the sign-in is kept in a private file and renewed by itself.

    Without --browser: make a Self Client in Zoho's API console (https://api-console.zoho.com, or
    .eu, .in … for your data centre), generate a code for the scopes that are printed, and enter it
    here. The client's secret and the code are asked for, or read from ZOHO_CLIENT_SECRET (or
    --secret-file) and ZOHO_CODE; they are never arguments. See docs/zoho.md.
    """
    asked = {name: str(value or "") for name, value in given.items()}
    data_centre = asked["dc"] or click.prompt("Data centre", type=click.Choice(list(DATA_CENTRES)))
    place = Place(
        data_centre,
        chosen_hosts(
            data_centre,
            accounts=asked["accounts_url"],
            crm=asked["crm_url"],
            desk=asked["desk_url"],
        ),
    )
    wanted = list(PRODUCTS) if asked["product"] == "both" else [asked["product"]]
    scopes = [scope for product in wanted for scope in PRODUCTS[product]]
    client = Client(asked["client_id"] or click.prompt("Client id"), _secret(given["secret_file"]))
    file = connection_file(start.settings())
    if given["browser"]:
        _by_browser(client, place, scopes, file, given)
    else:
        click.echo(f"Generate a code for these scopes:\n{','.join(scopes)}")
        connect(_hidden(CODE_VARIABLE, "Code"), client, place, file=file)
    _finish(file, asked["org"])


def _by_browser(
    client: Client,
    place: Place,
    scopes: list[str],
    file: ConnectionFile,
    given: dict[str, object],
) -> None:
    state = secrets.token_urlsafe(24)
    port = int(str(given["redirect_port"]))
    listening = None if given["paste"] else Callback(port)
    uri = listening.redirect_uri if listening else f"http://localhost:{port}/callback"
    address = consent_address(client.id, place.hosts, scopes=scopes, redirect_uri=uri, state=state)
    click.echo(f"The client's redirect address must be {uri}\nOpen and agree:\n{address}")
    try:
        back: Returned = (
            listening.wait(state=state)
            if listening
            else returned(click.prompt("Address you came back to", hide_input=True), state=state)
        )
    finally:
        if listening:
            listening.close()
    name, hosts = signed_in_at(back.accounts_server, place.hosts)
    there = replace(place, data_centre=name or place.data_centre, hosts=hosts)
    connect(back.code, client, there, file=file, redirect_uri=uri)


def _finish(file: ConnectionFile, org: str) -> None:
    usable = products(file.read().scopes)
    if "desk" in usable:
        found = organisations(file)
        if not org and len(found) > 1:
            for name, title in found.items():
                click.echo(f"{name}  {title}")
            org = click.prompt("Which Desk organisation", type=click.Choice(list(found)))
        click.echo(f"Desk organisation: {choose_organisation(file, org)}.")
    names = " and ".join(NAMES[product] for product in usable)
    click.echo(f"Connected: {names} can be exported. The sign-in is in {file.path}.")


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
    file = connection_file(start.settings())
    connection = file.read()
    hosts = connection.hosts
    click.echo(f"Data centre {connection.data_centre}: {hosts.accounts}, {hosts.desk}, {hosts.crm}")
    click.echo(f"Client {connection.client_id}; scopes {', '.join(sorted(connection.scopes))}")
    found = [check(product, file) for product in PRODUCTS]
    for one in found:
        mark, colour = ("works", "green") if one.works else ("fails", "yellow")
        click.secho(f"{mark}  {one.said}", fg=colour)
    if not any(one.works for one in found):
        raise ZohoNotConnected("Nothing can be exported with this sign-in; see above.")


@zoho.command("disconnect")
@click.pass_obj
def disconnect_(start: Start) -> None:
    """Revoke the sign-in at Zoho and delete it here."""
    known = disconnect(connection_file(start.settings()))
    click.echo(
        "Revoked and deleted."
        if known
        else "Deleted here. Zoho did not know it any more: it had been revoked before."
    )


zoho.add_command(export)
zoho.add_command(prune)
