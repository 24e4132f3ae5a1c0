"""What stands before each API route of the local Zoho: token, scope, credits, what fails."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from flask import Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from tests.zoho.portal import ORG_ID, Fault, Portal

Json = dict[str, Any]
Route = Callable[..., ResponseReturnValue]
_BARE = {
    "no_id": ("id", "message_id"),
    "no_time": ("time", "Created_Time", "Modified_Time", "createdTime", "modifiedTime"),
}


def portal() -> Portal:
    """The organisation this server shows."""
    found: Portal = current_app.config["PORTAL"]
    return found


def maybe_shift(kind: str) -> None:
    """Takes the first record of a list away if that is to happen now."""
    if portal().take_fault(request.path, "shift"):
        portal().shift(kind)


def refusal(product: str, status: int, code: str, message: str = "No.") -> Response:
    """An error as Desk or as CRM writes it."""
    if product == "desk":
        body: dict[str, object] = {"errorCode": code, "message": message}
    else:
        body = {"code": code, "details": {}, "message": message, "status": "error"}
    answer = jsonify(body)
    answer.status_code = status
    return answer


def guarded(
    product: str, scope: str, *, weight: int = 1, org: bool = True
) -> Callable[[Route], Route]:
    """A route that wants a token with this scope, costs credits and can fail on purpose."""

    def decorate(route: Route) -> Route:
        @wraps(route)
        def guard(*arguments: str, **named: str) -> ResponseReturnValue:
            found = portal()
            refused = _count_in(found, product) or _refused(found, product, scope, org=org)
            try:
                if refused:
                    return refused
                return _served(found, product, weight, lambda: route(*arguments, **named))
            finally:
                with found.lock:
                    found.seen.running -= 1

        return guard

    return decorate


def _count_in(found: Portal, product: str) -> Response | None:
    with found.lock:
        found.seen.paths.append(f"{request.method} {request.full_path.rstrip('?')}")
        found.seen.running += 1
        found.seen.most_running = max(found.seen.most_running, found.seen.running)
        over = found.seen.running > found.parallel_limit
    return refusal(product, 429, "TOO_MANY_REQUESTS") if over else None


def _refused(found: Portal, product: str, scope: str, *, org: bool) -> Response | None:
    header = request.headers.get("Authorization", "")
    kind, _, token = header.partition(" ")
    bad = "INVALID_OAUTH" if product == "desk" else "INVALID_TOKEN"
    if kind != "Zoho-oauthtoken":
        found.seen.refused_bearer += 1
        return refusal(product, 401, bad, "The token is not sent as Zoho-oauthtoken.")
    refresh_token, until = found.access_tokens.get(token, ("", 0.0))
    granted = found.refresh_tokens.get(refresh_token)
    if granted is None or until < time.time():
        return refusal(product, 401, bad, "invalid oauth token")
    if found.take_fault(request.path, "expired"):
        found.access_tokens.pop(token, None)
        return refusal(product, 401, bad, "invalid oauth token")
    if scope not in granted.split(","):
        desk = product == "desk"
        return refusal(
            product, 403 if desk else 401, "SCOPE_MISMATCH" if desk else "OAUTH_SCOPE_MISMATCH"
        )
    if product == "desk" and org and request.headers.get("orgId") != ORG_ID:
        return refusal(product, 403, "OAUTH_ORG_MISMATCH", "The orgId is missing or another one.")
    return None


def _served(
    found: Portal, product: str, weight: int, route: Callable[[], ResponseReturnValue]
) -> ResponseReturnValue:
    fault = found.take_fault(request.path, "error", "busy", "spent", "slow", "not_json", "strange")
    if fault and fault.kind == "slow":
        time.sleep(fault.seconds)
    elif fault:
        return _broken(product, fault)
    if product == "desk" and found.credits_left < weight:
        spent = refusal(product, 429, "THRESHOLD_EXCEEDED")
        spent.headers["Retry-After"] = "7200"
        return spent
    answer = current_app.make_response(route())
    found.credits_left -= weight
    if product == "desk" and found.weights:
        answer.headers["X-Rate-Limit-Remaining-v3"] = str(found.credits_left)
        answer.headers["X-Rate-Limit-Request-Weight-v3"] = str(weight)
    if bare := found.take_fault(request.path, *_BARE):
        answer.set_data(json.dumps(_without(answer.get_json(), _BARE[bare.kind])))
    ending = found.take_fault(request.path, "drop", "cut")
    if ending:
        _break_off(answer if ending.kind == "cut" else None)
    return answer


def _without(body: Json, names: Collection[str]) -> Json:
    """A record, or a list of records, in which these fields are missing."""
    lists = {name: rows for name, rows in body.items() if name in ("data", "Emails")}
    for row in [row for rows in lists.values() for row in rows] or [body]:
        for name in names:
            row.pop(name, None)
    return body


def _broken(product: str, fault: Fault) -> ResponseReturnValue:
    if fault.kind == "not_json":
        return Response("<html>Bad gateway</html>", status=200, mimetype="text/html")
    if fault.kind == "strange":
        return jsonify({"something": "else"})
    if fault.kind == "error":
        codes = {400: "BAD_REQUEST", 403: "FORBIDDEN", 404: "URL_NOT_FOUND", 422: "INVALID_DATA"}
        return refusal(product, fault.status, codes.get(fault.status, "INTERNAL_SERVER_ERROR"))
    code = "THRESHOLD_EXCEEDED" if fault.kind == "spent" else "TOO_MANY_REQUESTS"
    answer = refusal(product, 429, code)
    if fault.kind == "spent":
        answer.headers["Retry-After"] = str(int(fault.seconds))
    return answer


def _break_off(answer: Response | None) -> None:
    """Closes the connection: before a byte of the answer, or in the middle of its body."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    if answer is not None:
        body = answer.get_data()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)
