"""The OAuth half of the local Zoho: consent, codes, tokens, refreshes and revoking."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from tests.zoho.guarding import portal
from tests.zoho.portal import CLIENT_ID, CLIENT_SECRET

Json = dict[str, Any]
accounts = Blueprint("accounts", __name__, url_prefix="/oauth/v2")


@accounts.get("/auth")
def consent() -> ResponseReturnValue:
    """The admin agrees at once; the browser goes back with a code."""
    back = {
        "code": portal().grant(request.args["scope"]),
        "state": request.args["state"],
        "location": "us",
        "accounts-server": request.host_url.rstrip("/"),
    }
    return redirect(f"{request.args['redirect_uri']}?{urlencode(back)}")


@accounts.post("/token")
def token() -> ResponseReturnValue:
    """A code for tokens, or a refresh token for a new access token."""
    asked, found = request.values, portal()
    with found.lock:
        found.seen.grants[asked.get("grant_type", "")] += 1
        if found.take_fault(request.path, "busy"):
            return _too_many()
        if asked.get("client_id") != CLIENT_ID:
            return _error("invalid_client")
        if asked.get("client_secret") != CLIENT_SECRET:
            return _error("invalid_client_secret")
        if asked.get("grant_type") == "refresh_token":
            return _refresh(asked.get("refresh_token", ""))
        scopes = found.codes.pop(asked.get("code", ""), None)
        if scopes is None:
            return _error("invalid_code")
        refresh_token = found.secret("refresh")
        found.refresh_tokens[refresh_token] = scopes
        return _refresh(refresh_token, {"refresh_token": refresh_token})


@accounts.post("/token/revoke")
def revoke() -> ResponseReturnValue:
    """Forgets a refresh token and its access tokens."""
    if portal().refresh_tokens.pop(request.values.get("token", ""), None) is None:
        return _error("invalid_token", 400)
    return jsonify({"status": "success"})


def _refresh(refresh_token: str, more: Json | None = None) -> Response:
    found = portal()
    scopes = found.refresh_tokens.get(refresh_token)
    if scopes is None:
        return _error("invalid_code")
    access_token = found.new_access_token(refresh_token)
    if access_token is None:
        return _too_many()
    body = {
        "access_token": access_token,
        "scope": scopes.replace(",", " "),
        "api_domain": request.host_url.rstrip("/"),
        "token_type": "Bearer",
        "expires_in": int(found.token_seconds),
    }
    return jsonify(body | (more or {}))


def _error(code: str, status: int = 200) -> Response:
    answer = jsonify({"error": code})
    answer.status_code = status
    return answer


def _too_many() -> Response:
    answer = jsonify(
        {
            "error": "Access Denied",
            "error_description": "You have made too many requests continuously. "
            "Please try again after some time.",
            "status": "failure",
        }
    )
    answer.status_code = 400
    return answer
