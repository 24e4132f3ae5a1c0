"""The loopback address that a browser comes back to after an admin agreed."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from backend.domain.errors import BadInput, ZohoSignInFailed, ZohoUnreachable

PATH = "/callback"
_DONE = b"<!doctype html><meta charset=utf-8><title>Connected</title><p>You can close this page."
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Returned:
    """What came back: a code, and the accounts server that it is good for."""

    code: str = field(repr=False)
    accounts_server: str


def returned(address: str, *, state: str) -> Returned:
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
    return Returned(found["code"], found.get("accounts-server", ""))


class Callback:
    """Listens on 127.0.0.1 until the browser comes."""

    def __init__(self, port: int) -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Once(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                found = urlsplit(self.path).path == PATH
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                if found:
                    self.wfile.write(_DONE)
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
        self._server.timeout = _LOOK_SECONDS

    @property
    def redirect_uri(self) -> str:
        """The address to enter in the API console."""
        return f"http://localhost:{self._server.server_address[1]}{PATH}"

    def wait(self, *, state: str, seconds: float = 600) -> Returned:
        """What the browser brought. Raises ZohoSignInFailed, or ZohoUnreachable after a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._server.handle_request()
            if self.seen:
                return returned(self.seen[-1], state=state)
        raise ZohoUnreachable(
            f"No browser came back within {seconds / 60:.0f} minutes. Start again; from another "
            "machine use --paste."
        )

    def close(self) -> None:
        """Stops listening."""
        self._server.server_close()
