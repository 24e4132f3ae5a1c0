"""Making, testing and ending the sign-in to Zoho, which is kept in one private folder."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.domain.errors import BadInput, ZohoError, ZohoNotConnected, ZohoSignInFailed
from backend.settings import Settings
from backend.zoho.client import Api, RetryPolicy, open_api, rows_of
from backend.zoho.connection import Connection, ConnectionFile, Tokens
from backend.zoho.credits import Budget
from backend.zoho.data_centres import (
    DATA_CENTRES,
    DataCentre,
    Hosts,
    checked_crm,
    chosen_hosts,
    signed_in_at,
)
from backend.zoho.oauth import (
    PRODUCT_NAMES,
    SCOPES,
    AuthorizationCode,
    CallbackServer,
    OAuthClient,
    code_from_redirect,
    consent_url,
    exchange,
    missing_scopes,
    revoke,
    scope_advice,
    usable_products,
)

DATA_CENTRE_NAMES = tuple(DATA_CENTRES)


@dataclass(frozen=True)
class SignInRequest:
    """A client of Zoho's API console, where it is registered, and what it is to read."""

    client: OAuthClient
    data_centre: DataCentre
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Consent:
    """The page on which an admin agrees, and where the browser comes back to."""

    request: SignInRequest
    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        """The address to open."""
        return consent_url(
            self.request.client.id,
            self.request.data_centre.hosts,
            scopes=self.request.scopes,
            redirect_uri=self.redirect_uri,
            state=self.state,
        )


@dataclass(frozen=True)
class ConnectionCheck:
    """A test call to one product: what it said."""

    product: str
    works: bool
    said: str


def sign_in_folder(settings: Settings) -> Path:
    """Where the sign-in is kept."""
    return settings.state_dir / "zoho"


def sign_in_request(
    *,
    client_id: str,
    client_secret: str,
    data_centre: str,
    hosts: Mapping[str, str],
    products: Sequence[str],
) -> SignInRequest:
    """A sign-in to be made; `hosts` replace those of the data centre by name. Raises BadInput."""
    return SignInRequest(
        OAuthClient(client_id, client_secret),
        DataCentre(data_centre, chosen_hosts(data_centre, **hosts)),
        tuple(scope for product in products or SCOPES for scope in SCOPES[product]),
    )


def connect_by_browser(
    request: SignInRequest, *, port: int, show: Callable[[Consent], None], folder: Path
) -> None:
    """Shows where to agree, waits for the browser on this machine, and keeps the sign-in."""
    with closing(CallbackServer(port)) as server:
        consent = Consent(request, server.redirect_uri)
        show(consent)
        _connect_with_consent(consent, server.wait(state=consent.state), folder)


def connect_by_address(
    request: SignInRequest, *, port: int, ask: Callable[[Consent], str], folder: Path
) -> None:
    """Asks for the address at which a browser on another machine ended, and keeps the sign-in."""
    consent = Consent(request, f"http://localhost:{port}/callback")
    _connect_with_consent(consent, code_from_redirect(ask(consent), state=consent.state), folder)


def _connect_with_consent(consent: Consent, found: AuthorizationCode, folder: Path) -> None:
    centre = consent.request.data_centre
    name, hosts = signed_in_at(found.accounts_server, centre.hosts)
    request = replace(consent.request, data_centre=DataCentre(name or centre.name, hosts))
    connect(found.code, request, folder=folder, redirect_uri=consent.redirect_uri)


def connect(
    code: str, request: SignInRequest, *, folder: Path, redirect_uri: str | None = None
) -> None:
    """Exchanges a code and keeps the sign-in. Raises ZohoError with what is wrong.

    Where Zoho does not say which scopes it granted, all are taken for granted: a call tells.
    """
    client, centre = request.client, request.data_centre
    grant = exchange(code, client, centre.hosts, redirect_uri=redirect_uri)
    scopes = grant.scopes or tuple(scope for needed in SCOPES.values() for scope in needed)
    try:
        crm = _checked(scopes, grant.api_domain, centre.hosts)
    except ZohoSignInFailed:
        revoke(grant.refresh_token, centre.hosts)
        raise
    connection = Connection(
        client_id=client.id,
        client_secret=client.secret,
        refresh_token=grant.refresh_token,
        access_token="",
        expires_at=0.0,
        scopes=scopes,
        data_centre=centre.name,
        hosts=replace(centre.hosts, crm=crm),
    ).with_grant(grant, now=time.time())
    _replace_sign_in(connection, ConnectionFile(folder))


def _checked(scopes: Sequence[str], api_domain: str, hosts: Hosts) -> str:
    """The CRM host of a sign-in that can export something."""
    if not usable_products(scopes):
        raise ZohoSignInFailed(
            "The code was made with too few scopes for any export. For Desk grant "
            f"{','.join(SCOPES['desk'])}; for CRM grant {','.join(SCOPES['crm'])}."
        )
    return checked_crm(api_domain, hosts)


def _replace_sign_in(connection: Connection, file: ConnectionFile) -> None:
    """Keeps a sign-in and ends the one before, unless that cannot be read any more."""
    before = None
    with file.locked():
        with suppress(ZohoNotConnected):
            before = file.read()
        file.write(connection)
    if before is not None:
        with suppress(ZohoError):  # the new sign-in stands whether or not the old one can be ended
            revoke(before.refresh_token, before.hosts)


def kept_sign_in(folder: Path) -> Connection:
    """The sign-in as it is kept. Raises ZohoNotConnected."""
    return ConnectionFile(folder).read()


def exportable(folder: Path) -> dict[str, str]:
    """The products that the kept sign-in can export: name by product."""
    return {
        product: PRODUCT_NAMES[product] for product in usable_products(kept_sign_in(folder).scopes)
    }


def organisations(folder: Path) -> dict[str, str]:
    """The Desk organisations that the sign-in sees: name by id."""
    rows = rows_of(_api("desk", folder).get("organizations").body)
    return {str(row["id"]): str(row.get("companyName") or "") for row in rows}


def choose_organisation(folder: Path, wanted: str = "") -> str:
    """Keeps the id of the Desk organisation to read. Its name.

    Raises BadInput if there is none, if there are several and none was named, or if the named one
    is not among them.
    """
    found = organisations(folder)
    if not found:
        raise BadInput(
            "The sign-in sees no Desk organisation. Connect as a user of one, or without Desk: "
            "--product crm."
        )
    listed = ", ".join(f"{org_id} ({name})" for org_id, name in found.items())
    if wanted and wanted not in found:
        raise BadInput(f"The sign-in cannot see the Desk organisation {wanted}, only: {listed}.")
    if not wanted and len(found) != 1:
        raise BadInput(f"The sign-in sees several Desk organisations. Name one by --org: {listed}.")
    org_id = wanted or next(iter(found))
    file = ConnectionFile(folder)
    with file.locked():
        file.write(replace(file.read(), org_id=org_id))
    return found[org_id]


def check_connection(folder: Path) -> list[ConnectionCheck]:
    """Makes a cheap call to each product."""
    return [check(product, folder) for product in SCOPES]


def check(product: str, folder: Path) -> ConnectionCheck:
    """Makes a cheap call to a product."""
    scopes = kept_sign_in(folder).scopes
    if missing_scopes(scopes, product):
        return ConnectionCheck(product, works=False, said=scope_advice(scopes, product))
    try:
        api = _api(product, folder)
        body = api.get("organizations" if product == "desk" else "org").body
        rows = rows_of(body, "data" if product == "desk" else "org")
        if product == "desk":
            api.get("tickets", {"from": 0, "limit": 1})
    except ZohoError as error:
        return ConnectionCheck(product, works=False, said=str(error))
    names = [str(row.get("companyName") or row.get("company_name") or "") for row in rows]
    left = api.budget.remaining
    credits = f"; {left:,} credits left today" if left is not None else ""
    said = f"{PRODUCT_NAMES[product]} answers: {', '.join(names)}{credits}"
    return ConnectionCheck(product, works=True, said=said)


def disconnect(folder: Path) -> bool:
    """Revokes the sign-in and deletes it here. Whether Zoho knew it still.

    Raises ZohoUnreachable, and then keeps the file: the sign-in would live on unseen.
    """
    file = ConnectionFile(folder)
    with file.locked():
        connection = file.read()
        known = revoke(connection.refresh_token, connection.hosts)
        file.delete()
    return known


def _api(product: str, folder: Path) -> Api:
    tokens = Tokens(ConnectionFile(folder))
    return open_api(product, tokens=tokens, budget=Budget(product), retry_policy=RetryPolicy())
