"""The product's errors as HTTP: a status each, told as RFC 9457 problem details."""

from __future__ import annotations

from http import HTTPStatus
from typing import IO

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from backend.domain import errors
from backend.domain.errors import ProductError, problem_title, problem_type

MOST_READ_AWAY_BYTES = 16_000_000
_PIECE = 65_536
STATUS: dict[type[ProductError], HTTPStatus] = {
    errors.EmptyTicket: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BadScore: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BadInput: HTTPStatus.BAD_REQUEST,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.Unknown: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Forbidden: HTTPStatus.UNAUTHORIZED,
    errors.UnusableModel: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.QueueFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.EngineError: HTTPStatus.BAD_GATEWAY,
    errors.ZohoError: HTTPStatus.BAD_GATEWAY,
    ProductError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status_of(kind: type[BaseException]) -> HTTPStatus:
    """The status of an error: its own, or that of the nearest kind above it."""
    for parent in kind.__mro__:
        if parent in STATUS:
            return STATUS[parent]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(name: str, status: int, detail: str) -> Response:
    """A problem-details response."""
    body = {
        "type": problem_type(name),
        "title": problem_title(name),
        "status": status,
        "detail": detail,
    }
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, status=status, mimetype="application/problem+json")


def install(app: Flask) -> None:
    """Every error that leaves a route becomes a problem."""

    @app.errorhandler(ProductError)
    def product_error(error: ProductError) -> Response:
        answer = problem(type(error).__name__, status_of(type(error)), str(error))
        if isinstance(error, errors.QueueFull):
            answer.headers["Retry-After"] = str(error.retry_after_seconds)
        if isinstance(error, errors.Forbidden):
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        code = error.code or 500
        if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            _read_away(request.environ["wsgi.input"])
        name = "".join(word.capitalize() for word in error.name.split())
        answer = problem(name, code, _sentence(code, error))
        for header, value in error.get_headers():
            if header.lower() not in ("content-type", "content-length"):
                answer.headers[header] = value
        return answer


def _read_away(body: IO[bytes]) -> None:
    """Takes in what the caller is still sending, within reason, so that the answer reaches it."""
    left = MOST_READ_AWAY_BYTES
    while left > 0 and (piece := body.read(_PIECE)):
        left -= len(piece)


def _sentence(code: int, error: HTTPException) -> str:
    if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "The request is larger than 256 kB. Send only the customer's last messages."
    return error.description or error.name
