"""`suggest-answer serve`: the whole product in the foreground, on one listening socket."""

from __future__ import annotations

import fcntl
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from backend.cli.shared import Start, opened
from backend.domain.errors import BadSettings
from backend.privacy.placeholders import redact
from backend.services.demo import prepare_demo
from backend.services.status import model_states
from backend.settings import Settings
from backend.supervisor import Supervisor
from backend.system.logging import rotate, start_log
from backend.system.loopback import answers
from backend.system.processes import SERVE_LOCK, die_with_parent

_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 5.0


@click.command()
@click.option("--demo", is_flag=True, default=None, help="Serve the demo help desk and its models.")
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=int, help="Port (default 8600; 0 takes a free one).")
@click.pass_obj
def serve(start: Start, demo: bool | None, host: str | None, port: int | None) -> None:
    """Run web, worker and a runner for each active model, until Ctrl-C."""
    die_with_parent()  # of a command that started it for a while; by hand, nothing
    web = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = start.settings(demo=demo, web=web or None)
    if settings.demo:
        with opened(settings) as db:
            prepare_demo(db=db)
    supervise(settings, ready=lambda address: _announce(address, settings))


def supervise(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Runs the product until SIGTERM or Ctrl-C. `ready` gets the address once it listens.

    Raises BadSettings if the port is taken or another supervisor has the state directory.
    """
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with opened(settings) as db, _alone(settings), _listener(settings) as listener:
        rotate(settings.log_folder)
        log = start_log(
            settings.log_file, level=settings.log.level, process="supervisor", redact=redact
        )
        host, port = listener.getsockname()[:2]
        log.info("listening", host=host, port=port)
        ready(f"http://{host}:{port}")
        Supervisor(settings, listener=listener, db=db, log=log).run(stop)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with (settings.state_dir / SERVE_LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(
                f"suggest answer already runs on {settings.state_dir}. Stop it first, or choose "
                "another state_dir."
            ) from error
        yield


@contextmanager
def _listener(settings: Settings) -> Iterator[socket.socket]:
    web = settings.web
    try:
        listener = socket.create_server((web.host, web.port), backlog=256)
    except OSError as error:
        raise BadSettings(
            f"Cannot listen on {web.host}:{web.port}: {error.strerror}. Stop what uses the port, "
            "or take another: --port or web.port (0 takes a free one)."
        ) from error
    with listener:
        listener.set_inheritable(True)
        yield listener


def _announce(address: str, settings: Settings) -> None:
    threading.Thread(target=_tell_when_ready, args=(address, settings), daemon=True).start()


def _tell_when_ready(address: str, settings: Settings) -> None:
    while not answers(address + "/healthz", timeout=_ANSWER_SECONDS):
        time.sleep(_LOOK_SECONDS)
    if settings.demo:
        click.echo(f"\n  Demo help desk: {address}/")
        click.echo('  Open a ticket and click "Suggest answer".\n')
    else:
        click.echo(f"\n  suggest answer: {address}/api/v1")
        click.echo("  It has no page of its own: agents use the widget in Zoho (docs/admins.md).\n")
    while not answers(address + "/readyz", timeout=_ANSWER_SECONDS):
        time.sleep(_LOOK_SECONDS)
        if problem := _hopeless(settings):
            click.echo(f"  {problem}", err=True)
            break
    else:
        click.echo("  All models are ready.")
    log = settings.log_file or "standard error"
    click.echo(f"  State: {settings.state_dir}   Log: {log}   Ctrl-C ends it.")


def _hopeless(settings: Settings) -> str:
    """What a person has to do before any model can answer, or nothing if waiting will do."""
    with opened(settings) as db:
        active = [found for found in model_states(db) if found.model.active]
    if not active:
        return "No model is active yet. Add one: `suggest-answer models add --help`."
    if all(found.state == "failed" for found in active):
        return f"No model can run. {active[0].model.name}: {active[0].problem}"
    return ""
