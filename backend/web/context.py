"""What a request needs: settings, and a database connection of its own, closed at its end."""

from __future__ import annotations

from flask import Flask, current_app, g, request
from sqlite_utils import Database

from backend.settings import Settings
from backend.store.database import connect


def settings() -> Settings:
    """The settings in force."""
    found = current_app.extensions["settings"]
    assert isinstance(found, Settings)  # noqa: S101 - for the type checker
    return found


def store() -> Database:
    """This request's database connection."""
    if "store" not in g:
        g.store = connect(settings().database)
    found = g.store
    assert isinstance(found, Database)  # noqa: S101 - for the type checker
    return found


def rater() -> str:
    """Who asks, as the caller says: header `X-Rater`, or `rater` in the address."""
    return (request.headers.get("X-Rater") or request.args.get("rater") or "").strip()


def install(app: Flask, settings: Settings) -> None:
    """Gives the app its settings and closes each request's connection."""
    app.extensions["settings"] = settings

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        db = g.pop("store", None)
        if db is not None:
            db.conn.close()
