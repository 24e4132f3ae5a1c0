"""The web process: the Flask app, and gunicorn around it."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from backend.domain.ticket import MAX_TICKET_BYTES
from backend.privacy.placeholders import redact
from backend.settings import Settings, read_settings
from backend.store.database import open_database
from backend.system.logging import start_log
from backend.system.processes import SOCKET_VARIABLE, die_with_parent, end_with
from backend.web import auth, context, demo, errors, health, models, openapi, reports, suggestions

MAX_BODY_BYTES = MAX_TICKET_BYTES
GRACE_SECONDS = 2


def create_app(settings: Settings) -> Flask:
    """The app over the database of these settings, which is made or migrated first."""
    open_database(settings.database).conn.close()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    errors.install(app)
    context.install(app, settings)
    auth.install_cross_origin(app, settings.web.origins)
    auth.install(app)
    for module in (suggestions, models, reports, health, openapi):
        app.register_blueprint(module.bp)
    if settings.demo:
        app.register_blueprint(demo.bp)
    return app


class WebServer(BaseApplication):
    """gunicorn with threads, on a socket that the supervisor holds."""

    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Takes the options as they are; no gunicorn file or command line is read."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The app."""
        return self._app


def serve(settings: Settings, *, descriptor: int) -> None:
    """Serves until SIGTERM on an inherited listening socket."""
    log = start_log(settings.log_file, level=settings.log.level, process="web", redact=redact)
    log.info("web_started")
    options = {
        "bind": f"fd://{descriptor}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": settings.web.threads,
        "timeout": 60,
        "graceful_timeout": GRACE_SECONDS,
        "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108, PTH112
        "loglevel": "warning",
        "post_fork": lambda arbiter, worker: end_with(arbiter.pid),
    }
    WebServer(create_app(settings), options).run()


if __name__ == "__main__":
    die_with_parent()
    serve(read_settings(), descriptor=int(os.environ[SOCKET_VARIABLE]))
