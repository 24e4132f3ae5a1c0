"""The local Zoho as one server: accounts, Desk, CRM, and a side door for tests at /_local."""

from __future__ import annotations

import sys
from typing import Any, cast

from flask import Blueprint, Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date
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
    """One of the portal's own deeds."""
    asked = request.get_json()
    if asked["name"] not in ("reply", "delete", "touch", "touch_all", "withdraw", "grant"):
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


@door.post("/reset")
def reset() -> ResponseReturnValue:
    """As it was when it started: other records are made, tokens and faults are gone."""
    found = portal()
    current_app.config["PORTAL"] = Portal(tickets=found.made[0], cases=found.made[1])
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

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by Zoho's clock."""
        app = cast(Flask, self.server.app)
        return http_date(app.config["PORTAL"].now())

    def log(self, type: str, message: str, *arguments: object) -> None:
        """Nothing."""


def serve(made: Portal, *, port: int = 0) -> None:
    """Serves until killed; the first line on standard output is the address."""
    server = make_server("127.0.0.1", port, create_app(made), threaded=True, request_handler=_Quiet)
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()
