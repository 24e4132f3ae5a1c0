"""Making, testing and ending the sign-in to Zoho."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from backend.domain.errors import BadInput, ZohoError, ZohoNotConnected, ZohoSignInFailed
from backend.zoho.client import Api
from backend.zoho.connection import Connection, ConnectionFile, Tokens
from backend.zoho.credits import LIST_PAGE, Budget
from backend.zoho.data_centres import Hosts, checked_crm
from backend.zoho.oauth import NAMES, PRODUCTS, Client, advice, exchange, missing, products, revoke
from backend.zoho.responses import rows_of


@dataclass(frozen=True)
class Place:
    """A data centre by name, and its hosts."""

    data_centre: str
    hosts: Hosts


@dataclass(frozen=True)
class Check:
    """A test call to one product: what it said."""

    product: str
    works: bool
    said: str


def connect(
    code: str,
    client: Client,
    place: Place,
    *,
    file: ConnectionFile,
    redirect_uri: str | None = None,
) -> Connection:
    """Exchanges a code and keeps the sign-in. Raises ZohoError with what is wrong.

    Where Zoho does not say which scopes it granted, all are taken for granted: a call tells.
    """
    grant = exchange(code, client, place.hosts, redirect_uri=redirect_uri)
    scopes = grant.scopes or tuple(scope for some in PRODUCTS.values() for scope in some)
    try:
        crm = _checked(scopes, grant.api_domain, place.hosts)
    except ZohoSignInFailed:
        revoke(grant.refresh_token, place.hosts)
        raise
    connection = Connection(
        client_id=client.id,
        client_secret=client.secret,
        refresh_token=grant.refresh_token,
        access_token="",
        expires_at=0.0,
        scopes=scopes,
        data_centre=place.data_centre,
        hosts=replace(place.hosts, crm=crm),
    ).with_grant(grant, now=time.time())
    with file.locked():
        earlier = _earlier(file)
        file.write(connection)
    if earlier is not None:
        with suppress(ZohoError):  # the new sign-in stands whether or not the old one can be ended
            revoke(earlier.refresh_token, earlier.hosts)
    return connection


def _earlier(file: ConnectionFile) -> Connection | None:
    """The sign-in that is kept; None if there is none, or it cannot be read any more."""
    try:
        return file.read()
    except ZohoNotConnected:
        return None


def _checked(scopes: Sequence[str], api_domain: str, hosts: Hosts) -> str:
    """The CRM host of a sign-in that can export something."""
    if not products(scopes):
        raise ZohoSignInFailed(
            "The code was made with too few scopes for any export. For Desk grant "
            f"{','.join(PRODUCTS['desk'])}; for CRM grant {','.join(PRODUCTS['crm'])}."
        )
    return checked_crm(api_domain, hosts)


def organisations(file: ConnectionFile) -> dict[str, str]:
    """The Desk organisations that the sign-in sees: name by id."""
    rows = rows_of(_api("desk", file).get("organizations").body)
    return {str(row["id"]): str(row.get("companyName") or "") for row in rows}


def choose_organisation(file: ConnectionFile, wanted: str = "") -> str:
    """Keeps the id of the Desk organisation to read. Its name.

    Raises BadInput if there is none, if there are several and none was named, or if the named one
    is not among them.
    """
    found = organisations(file)
    if not found:
        raise BadInput(
            "The sign-in sees no Desk organisation. Connect as a user of one, or without Desk: "
            "--product crm."
        )
    listed = ", ".join(f"{name} ({title})" for name, title in found.items())
    if wanted and wanted not in found:
        raise BadInput(f"The sign-in cannot see the Desk organisation {wanted}, only: {listed}.")
    if not wanted and len(found) != 1:
        raise BadInput(f"The sign-in sees several Desk organisations. Name one by --org: {listed}.")
    org_id = wanted or next(iter(found))
    with file.locked():
        file.write(replace(file.read(), org_id=org_id))
    return found[org_id]


def check(product: str, file: ConnectionFile) -> Check:
    """Makes one cheap call to a product."""
    connection = file.read()
    if missing(connection.scopes, product):
        return Check(product, works=False, said=advice(connection.scopes, product))
    try:
        api = _api(product, file)
        body = api.get("organizations" if product == "desk" else "org").body
        rows = rows_of(body, "data" if product == "desk" else "org")
        if product == "desk":
            api.get("tickets", {"from": 0, "limit": 1}, cost=LIST_PAGE)
    except ZohoError as error:
        return Check(product, works=False, said=str(error))
    names = [str(row.get("companyName") or row.get("company_name") or "") for row in rows]
    left = api.budget.remaining
    credits = f"; {left:,} credits left today" if left is not None else ""
    return Check(product, works=True, said=f"{NAMES[product]} answers: {', '.join(names)}{credits}")


def disconnect(file: ConnectionFile) -> bool:
    """Revokes the sign-in and deletes it here. Whether Zoho knew it still.

    Raises ZohoUnreachable, and then keeps the file: the sign-in would live on unseen.
    """
    with file.locked():
        connection = file.read()
        known = revoke(connection.refresh_token, connection.hosts)
        file.delete()
    return known


def _api(product: str, file: ConnectionFile) -> Api:
    tokens = Tokens(file)
    hosts, desk = tokens.connection.hosts, product == "desk"
    base = f"{hosts.desk}/api/v1" if desk else f"{hosts.crm}/crm/v8"
    headers = {"orgId": tokens.connection.org_id} if desk and tokens.connection.org_id else {}
    return Api(product, base, tokens, Budget(None, product), headers)
