"""The demo help desk's pages, served only in demo mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, send_from_directory
from flask.typing import ResponseReturnValue

bp = Blueprint("demo", __name__)

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "demo" / "page"
PANEL = ROOT / "extension" / "shared"
OPEN_TICKETS = ROOT / "demo" / "corpus" / "open_tickets.jsonl"
_SHOWN = ("id", "subject", "question", "contact", "created", "language")


@bp.get("/")
def get_page() -> Response:
    """The ticket view."""
    return send_from_directory(PAGE, "index.html", max_age=0)


@bp.get("/demo/<path:name>")
def get_page_file(name: str) -> Response:
    """A file of the ticket view; any other address of it is the page itself."""
    known = (PAGE / name).is_file()
    return send_from_directory(PAGE, name if known else "index.html", max_age=0)


@bp.get("/extension/shared/<path:name>")
def get_panel_file(name: str) -> Response:
    """A file of the panel, the same that the Zoho widget ships."""
    return send_from_directory(PANEL, name, max_age=0)


@bp.get("/api/v1/demo/tickets")
def get_tickets() -> ResponseReturnValue:
    """The open tickets of the demo help desk."""
    return {"tickets": open_tickets()}


def open_tickets() -> list[dict[str, Any]]:
    """The open tickets without the topic, which is only for measuring."""
    lines = OPEN_TICKETS.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [{name: row[name] for name in _SHOWN if name in row} for row in rows]
