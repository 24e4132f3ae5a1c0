"""Who may call what: keys, host names, JSON only, and which pages elsewhere may call.

On loopback without keys everything is open to this machine. A page of another site still gets in
nowhere: it can neither send JSON across origins nor use another host name for this machine. Pages
of `web.origins` may call what the widget needs. Their browsers ask first (a preflight, which
carries no key); the call itself needs the key as ever, and no cookies are involved.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, request

from backend.domain.errors import BadInput, Forbidden
from backend.system.loopback import LOOPBACK
from backend.web import context

OPEN_PATHS = ("/healthz", "/readyz")
WIDGET_PATHS = ("/api/v1/suggestions", "/api/v1/candidates/", "/api/v1/rubric")
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, X-Rater",
    "Access-Control-Max-Age": "600",
}
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


def install(app: Flask) -> None:
    """Checks every request before its route runs."""

    @app.before_request
    def check() -> None:
        _check_host()
        if request.method in _CHANGES:
            _check_origin()
            if request.method != "DELETE" and not request.is_json:
                raise BadInput("The body must be JSON, with Content-Type: application/json.")
        if request.path not in OPEN_PATHS and not _is_page(request.path):
            _check_key()

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault(
            "Content-Security-Policy", "default-src 'self'; base-uri 'none'"
        )
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def install_cross_origin(app: Flask, origins: Collection[str]) -> None:
    """Lets these origins in. Install it before keys are checked, for a preflight has none."""

    @app.before_request
    def preflight() -> Response | None:
        if not (request.method == "OPTIONS" and _is_asked()):
            return None
        answer = Response(status=HTTPStatus.NO_CONTENT)
        if request.headers.get("Origin") in origins:
            answer.headers.update(PREFLIGHT_HEADERS)
        return answer

    @app.after_request
    def mark(response: Response) -> Response:
        origin = request.headers.get("Origin")
        if origins and _is_for_widgets(request.path):
            response.vary.add("Origin")
            if origin in origins:
                response.headers["Access-Control-Allow-Origin"] = origin
        return response


def _is_asked() -> bool:
    return "Access-Control-Request-Method" in request.headers and _is_for_widgets(request.path)


def _is_for_widgets(path: str) -> bool:
    return path.startswith(WIDGET_PATHS)


def require_admin() -> None:
    """Raises Forbidden unless the caller has the admin key, where there is one."""
    admin = context.settings().web.admin_key.get_secret_value()
    if admin and not _same(_key(), admin):
        raise Forbidden("This call is for admins. Send the admin key: Authorization: Bearer KEY.")


def _check_key() -> None:
    web = context.settings().web
    agent, admin = web.agent_key.get_secret_value(), web.admin_key.get_secret_value()
    if agent and not (_same(_key(), agent) or (admin and _same(_key(), admin))):
        raise Forbidden("A key is needed. Send it as a header: Authorization: Bearer KEY.")


def _check_host() -> None:
    """Refuses names that this server was not told to answer to (DNS rebinding)."""
    web = context.settings().web
    if web.host not in LOOPBACK:
        return
    name = urlsplit(f"//{request.host}").hostname or ""
    if name not in LOOPBACK and name not in web.hosts:
        raise Forbidden(f"This server does not answer to the name {name!r}. See web.hosts.")


def _check_origin() -> None:
    """Refuses changes that a page of another site asks a browser for."""
    origin = request.headers.get("Origin", "")
    allowed = origin in context.settings().web.origins
    if origin and not allowed and urlsplit(origin).netloc != request.host:
        raise Forbidden(f"Pages of {origin} may not change anything here.")


def _is_page(path: str) -> bool:
    return not path.startswith("/api/") and path != "/metrics"


def _key() -> str:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
