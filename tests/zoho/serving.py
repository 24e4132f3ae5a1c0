"""The local Zoho as one server: accounts, Desk, CRM, and a side door for tests at /_local."""

from __future__ import annotations

import sys
from typing import Any

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.zoho.accounts import accounts
from tests.zoho.crm_api import crm
from tests.zoho.desk_api import desk
from tests.zoho.guarding import portal
from tests.zoho.portal import Fault, Portal

Json = dict[str, Any]
door = Blueprint("door", __name__, url_prefix="/_local")


@door.post("/fault")
def fault() -> ResponseReturnValue:
    """Something is to go wrong from now on."""
    with portal().lock:
        portal().faults.append(Fault(**request.get_json()))
    return jsonify({})


@door.post("/call")
def call() -> ResponseReturnValue:
    """One of the portal's own deeds: `reply`, `delete`, `touch`, `grant`."""
    asked = request.get_json()
    if asked["name"] not in ("reply", "delete", "touch", "grant"):
        return jsonify({"error": "no such deed"}), 404
    with portal().lock:
        return jsonify({"result": getattr(portal(), asked["name"])(*asked["arguments"])})


@door.post("/set")
def rule() -> ResponseReturnValue:
    """Other rules: `token_seconds`, `credits_left`, `parallel_limit`, `search_limit` …"""
    for name, value in request.get_json().items():
        getattr(portal(), name)
        setattr(portal(), name, value)
    return jsonify({})


@door.post("/calm")
def calm() -> ResponseReturnValue:
    """Nothing goes wrong any more."""
    portal().faults.clear()
    return jsonify({})


@door.get("/seen")
def seen() -> ResponseReturnValue:
    """What callers did so far."""
    found = portal()
    return jsonify({**vars(found.seen), "credits_left": found.credits_left})


@door.get("/secrets")
def secrets() -> ResponseReturnValue:
    """Every token that was handed out."""
    return jsonify([*portal().access_tokens, *portal().refresh_tokens])


def create_app(made: Portal) -> Flask:
    """The server's application around a portal."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.config["PORTAL"] = made
    for blueprint in (accounts, desk, crm, door):
        app.register_blueprint(blueprint)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        return error.response or (jsonify({"errorCode": "URL_NOT_FOUND"}), error.code or 500)

    return app


class _Quiet(WSGIRequestHandler):
    """Keeps connections open, and nothing on the terminal: paths would hold tokens."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *arguments: object) -> None:
        """Nothing."""


def serve(made: Portal, *, port: int = 0) -> None:
    """Serves until killed; the first line on standard output is the address."""
    server = make_server("127.0.0.1", port, create_app(made), threaded=True, request_handler=_Quiet)
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()
