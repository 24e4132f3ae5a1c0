"""What a request needs: settings, and a database connection of its own, closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, current_app, g, request

from backend.domain.errors import TooManyFollowers
from backend.services.database import Database
from backend.settings import Settings
from backend.system.database import connect


def settings() -> Settings:
    """The settings in force."""
    found: Settings = current_app.extensions["settings"]
    return found


def store() -> Database:
    """This request's database connection."""
    if "store" not in g:
        g.store = connect(settings().database)
    found: Database = g.store
    return found


@contextmanager
def long_call() -> Iterator[bool]:
    """Whether this call may wait: some threads are always kept for calls that do not."""
    calls = current_app.extensions["long_calls"]
    admitted = calls.acquire(blocking=False)
    try:
        yield admitted
    finally:
        if admitted:
            calls.release()


def admit_long_call() -> Callable[[], None]:
    """Takes a place for an event stream; returns what gives it back. Raises TooManyFollowers."""
    calls = current_app.extensions["long_calls"]
    if not calls.acquire(blocking=False):
        raise TooManyFollowers(
            "Too many suggestions are followed at once. Ask with `wait` instead, or try again soon."
        )
    return cast("Callable[[], None]", calls.release)


def rater() -> str:
    """Who asks, as the caller says: header `X-Rater`, or `rater` in the address."""
    return (request.headers.get("X-Rater") or request.args.get("rater") or "").strip()


def install(app: Flask, settings: Settings) -> None:
    """Gives the app its settings and closes each request's connection."""
    app.extensions["settings"] = settings
    app.extensions["long_calls"] = BoundedSemaphore(settings.web.threads * 3 // 4)

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        db = g.pop("store", None)
        if db is not None:
            db.conn.close()
