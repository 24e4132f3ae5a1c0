"""Zoho's OAuth: scopes, consent, the browser's way back, codes for tokens, refresh and revoking.

Nothing that comes from the accounts server is put into an error but the name of the error, and the
libraries below may not write their debug lines: those hold tokens.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from oauthlib.oauth2.rfc6749.errors import OAuth2Error
from requests_oauthlib import OAuth2Session

from backend.domain.errors import (
    BadInput,
    ZohoError,
    ZohoSignInFailed,
    ZohoThrottled,
    ZohoUnreachable,
)
from backend.system.loopback import LOOPBACK
from backend.zoho.data_centres import Hosts

DESK = (
    "Desk.tickets.READ",
    "Desk.articles.READ",
    "Desk.search.READ",
    "Desk.basic.READ",
)
CRM = (
    "ZohoCRM.modules.cases.READ",
    "ZohoCRM.modules.solutions.READ",
    "ZohoCRM.modules.notes.READ",
    "ZohoCRM.modules.contacts.READ",
    "ZohoCRM.modules.emails.READ",
    "ZohoCRM.org.READ",
)
SCOPES = {"desk": DESK, "crm": CRM}
PRODUCT_NAMES = {"desk": "Zoho Desk", "crm": "Zoho CRM"}
TIMEOUT_SECONDS = 30
THROTTLED_SECONDS = 600.0
CONSOLE = "https://api-console.zoho.com (or your data centre's)"
_TALKATIVE = ("requests_oauthlib", "oauthlib", "urllib3")
CALLBACK_PATH = "/callback"
_DONE_PAGE = (
    b"<!doctype html><meta charset=utf-8><title>Connected</title><p>You can close this page."
)
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class OAuthClient:
    """An OAuth client of the API console."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Grant:
    """What Zoho gave: an access token, and with a code also a refresh token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    seconds: float
    scopes: tuple[str, ...]
    api_domain: str


def missing_scopes(granted: Iterable[str], product: str) -> list[str]:
    """The scopes that an export from this product still needs. `.ALL` covers `.READ`."""
    have = set(granted)
    return [
        scope for scope in SCOPES[product] if not {scope, f"{scope.removesuffix('READ')}ALL"} & have
    ]


def usable_products(granted: Iterable[str]) -> list[str]:
    """The products of which every needed scope was granted."""
    have = list(granted)
    return [product for product in SCOPES if not missing_scopes(have, product)]


def scope_advice(granted: Iterable[str], product: str) -> str:
    """What to do about a refusal for want of scopes."""
    lacking = missing_scopes(granted, product)
    if not lacking:
        return (
            f"All scopes of an export from {PRODUCT_NAMES[product]} were granted, so the scope of "
            "this one call changed: see docs/zoho.md, and run `suggest-answer zoho connect` again."
        )
    return (
        f"The sign-in lacks {', '.join(lacking)}. Run `suggest-answer zoho connect` again and "
        f"grant: {','.join(SCOPES[product])}"
    )


def consent_url(
    client_id: str, hosts: Hosts, *, scopes: Sequence[str], redirect_uri: str, state: str
) -> str:
    """Where an admin agrees in the browser."""
    session = _session(client_id, hosts, redirect_uri)
    session.scope = ",".join(scopes)  # joined by spaces, Zoho would see one unknown scope
    address, _ = session.authorization_url(
        f"{hosts.accounts}/oauth/v2/auth", state=state, access_type="offline", prompt="consent"
    )
    return str(address)


@dataclass(frozen=True)
class AuthorizationCode:
    """What the browser brought back: a code, and the accounts server that it is good for."""

    code: str = field(repr=False)
    accounts_server: str


def code_from_redirect(address: str, *, state: str) -> AuthorizationCode:
    """Reads the address that the browser came back to.

    Raises ZohoSignInFailed if someone else made it (another state), or the admin did not agree.
    """
    query = parse_qs(urlsplit(address).query)
    found: Mapping[str, str] = {name: values[0] for name, values in query.items()}
    if not hmac.compare_digest(found.get("state", "").encode(), state.encode()):
        raise ZohoSignInFailed(
            "What came back does not belong to this sign-in (its state differs). Start again, and "
            "use the newest address that is printed."
        )
    if "code" not in found:
        raise ZohoSignInFailed("Zoho gave no code: the request was declined. Start again.")
    return AuthorizationCode(found["code"], found.get("accounts-server", ""))


class CallbackServer:
    """Listens on 127.0.0.1 until the browser comes."""

    def __init__(self, port: int) -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Once(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                found = urlsplit(self.path).path == CALLBACK_PATH
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                if found:
                    self.wfile.write(_DONE_PAGE)
                    seen.append(self.path)

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing: the path holds the code."""

        try:
            self._server = HTTPServer(("127.0.0.1", port), Once)
        except OSError as error:
            raise BadInput(
                f"Port {port} cannot be used: {error.strerror}. Name another with --redirect-port, "
                "and enter it in the API console too."
            ) from error
        self._server.timeout = _POLL_SECONDS

    @property
    def redirect_uri(self) -> str:
        """The address to enter in the API console."""
        return f"http://localhost:{self._server.server_address[1]}{CALLBACK_PATH}"

    def wait(self, *, state: str, seconds: float = 600) -> AuthorizationCode:
        """What the browser brought. Raises ZohoSignInFailed, or ZohoUnreachable after a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._server.handle_request()
            if self.seen:
                return code_from_redirect(self.seen[-1], state=state)
        raise ZohoUnreachable(
            f"No browser came back within {seconds / 60:.0f} minutes. Start again; from another "
            "machine use --paste."
        )

    def close(self) -> None:
        """Stops listening."""
        self._server.server_close()


def exchange(
    code: str, client: OAuthClient, hosts: Hosts, *, redirect_uri: str | None = None
) -> Grant:
    """A code for tokens; a Self OAuthClient's code has no redirect_uri.

    Raises ZohoSignInFailed, ZohoThrottled or ZohoUnreachable.
    """
    session = _session(client.id, hosts, redirect_uri)
    token = _token_from(
        lambda: session.fetch_token(
            f"{hosts.accounts}/oauth/v2/token",
            code=code,
            client_secret=client.secret,
            include_client_id=True,
            timeout=TIMEOUT_SECONDS,
        ),
        hosts,
        "code",
    )
    if not token.get("refresh_token"):
        raise ZohoSignInFailed(
            "Zoho gave no refresh token, so the sign-in would end within an hour. Make a new code "
            "with the Self OAuthClient, or agree again from the address that `zoho connect` prints."
        )
    return _grant(token, str(token["refresh_token"]))


def refresh(refresh_token: str, client: OAuthClient, hosts: Hosts) -> Grant:
    """A new access token. Raises ZohoSignInFailed, ZohoThrottled or ZohoUnreachable."""
    session = _session(client.id, hosts, None)
    token = _token_from(
        lambda: session.refresh_token(
            f"{hosts.accounts}/oauth/v2/token",
            refresh_token=refresh_token,
            client_id=client.id,
            client_secret=client.secret,
            timeout=TIMEOUT_SECONDS,
        ),
        hosts,
        "sign-in",
    )
    return _grant(token, refresh_token)


def revoke(refresh_token: str, hosts: Hosts) -> bool:
    """Makes the sign-in worthless. Whether Zoho knew it still. Raises ZohoUnreachable."""
    quiet_libraries()
    with requests.Session() as session:
        session.trust_env = not _is_local(hosts)
        try:
            answer = session.post(
                f"{hosts.accounts}/oauth/v2/token/revoke",
                params={"token": refresh_token},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException:
            raise _unreachable(hosts) from None
    if answer.status_code >= 500:
        raise _unreachable(hosts)
    return answer.ok


def quiet_libraries() -> None:
    """Keeps the debug lines of the libraries below, which hold tokens, out of any log."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _session(client_id: str, hosts: Hosts, redirect_uri: str | None) -> OAuth2Session:
    quiet_libraries()
    session = OAuth2Session(client_id, redirect_uri=redirect_uri)
    session.trust_env = not _is_local(hosts)
    return session


def _is_local(hosts: Hosts) -> bool:
    return urlsplit(hosts.accounts).hostname in LOOPBACK


def _token_from(call: Callable[[], dict[str, Any]], hosts: Hosts, what: str) -> dict[str, Any]:
    try:
        token = call()
    except OAuth2Error as error:
        raise _refusal(str(error.error or ""), hosts, what) from None
    except (requests.RequestException, ValueError):
        raise _unreachable(hosts) from None
    if not token.get("access_token"):
        raise _refusal("no token", hosts, what)
    return token


def _grant(token: dict[str, Any], refresh_token: str) -> Grant:
    return Grant(
        access_token=str(token["access_token"]),
        refresh_token=refresh_token,
        seconds=float(token.get("expires_in") or 3600),
        scopes=tuple(filter(None, re.split(r"[\s,]+", _text(token.get("scope"))))),
        api_domain=str(token.get("api_domain") or ""),
    )


def _text(scope: object) -> str:
    return " ".join(map(str, scope)) if isinstance(scope, list | tuple) else str(scope or "")


def _unreachable(hosts: Hosts) -> ZohoUnreachable:
    return ZohoUnreachable(
        f"{hosts.accounts} gave no usable answer. Check the network and the proxy settings, and "
        "that --dc names the data centre of your organisation."
    )


def _refusal(error: str, hosts: Hosts, what: str) -> ZohoError:
    """The sentence for an error of the accounts server."""
    if error.casefold() in ("access denied", "too_many_requests"):
        return ZohoThrottled(
            "Zoho gives no more tokens for now: 10 in 10 minutes is its limit. Try again in 10 "
            "minutes.",
            retry_after_seconds=THROTTLED_SECONDS,
        )
    sentence = _SENTENCES.get((error, what)) or _SENTENCES.get((error, ""))
    if sentence is None:
        name = error if re.fullmatch(r"[A-Za-z_ ]{1,60}", error) else "an unknown error"
        sentence = f"{{accounts}} refuses the {what}: {name}. See docs/zoho.md."
    return ZohoSignInFailed(sentence.format(accounts=hosts.accounts))


_SENTENCES = {
    ("invalid_client", ""): (
        "{accounts} does not know this client id. Either it is mistyped, or the client was made in "
        "another data centre: choose that one with --dc."
    ),
    ("invalid_client_secret", ""): (
        "The client secret is not this client's secret at {accounts}. Copy it again from the API "
        "console; a client has another secret in each data centre."
    ),
    ("invalid_code", "code"): (
        "{accounts} does not accept the code. It is used up, older than the 3 to 10 minutes it "
        f"lives, or made in another data centre. Make a new one at {CONSOLE}, and mind --dc."
    ),
    ("invalid_code", "sign-in"): (
        "{accounts} does not accept the sign-in any more: it was revoked, or 20 newer ones pushed "
        "it out. Run `suggest-answer zoho connect` again."
    ),
    ("redirect_uri_mismatch", ""): (
        "The redirect address is not the one of the client. Enter in the API console exactly the "
        "address that `zoho connect` prints."
    ),
}
_SENTENCES[("invalid_redirect_uri", "")] = _SENTENCES[("redirect_uri_mismatch", "")]
