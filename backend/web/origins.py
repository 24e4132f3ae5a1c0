"""Which pages elsewhere may call: those of `web.origins`, exactly, and only what the widget needs.

A browser asks first (a preflight, which carries no key); the call itself needs the key as ever. No
cookies are involved, so credentials are never allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from flask import Flask, Response, request

PATHS = ("/api/v1/suggestions", "/api/v1/candidates/", "/api/v1/rubric")
ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, X-Rater",
    "Access-Control-Max-Age": "600",
}


def install(app: Flask, origins: Collection[str]) -> None:
    """Lets these origins in. Install it before keys are checked, for a preflight has none."""

    @app.before_request
    def preflight() -> Response | None:
        if not (request.method == "OPTIONS" and _is_asked()):
            return None
        answer = Response(status=HTTPStatus.NO_CONTENT)
        if request.headers.get("Origin") in origins:
            answer.headers.update(ALLOWED)
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
    return path.startswith(PATHS)
