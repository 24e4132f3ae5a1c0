"""`python -m backend.runner --model FILE.gguf`: serve one GGUF until told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from typing import NoReturn

import uvicorn

from backend.domain.errors import BadSettings, ProductError, UnusableModel
from backend.runner.app import create_app
from backend.runner.loading import ModelService
from backend.runner.model import route_native_log
from backend.runner.settings import KEY_VARIABLE, RunnerSettings, read_settings
from backend.system.logging import log_event, route_library_logs
from backend.system.processes import die_with_parent

SWITCH_SECONDS = 0.0005  # the scheduler must not wait 5 ms for the interpreter after each step
BACKLOG = 128
EXIT_FAILED, EXIT_SETTINGS, EXIT_MODEL = 1, 2, 3


def main() -> int:
    """Serve; the exit code is 2 for bad settings and 3 for a model that cannot be served."""
    try:
        die_with_parent()
        settings = read_settings(sys.argv[1:], os.environ)
        os.environ.pop(KEY_VARIABLE, None)
        route_library_logs()
        route_native_log(lambda line: log_event("llama", text=line))
        sys.setswitchinterval(SWITCH_SECONDS)
        asyncio.run(_serve(settings))
    except SystemExit as exit_of_argparse:
        return int(exit_of_argparse.code or 0)
    except ProductError as error:
        log_event("failed", error=type(error).__name__, text=str(error))
        return _exit_code(error)
    return 0


async def _serve(settings: RunnerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises what keeps the model from being served."""
    service = ModelService(settings)
    listener = _listen(settings.host, settings.port)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(service),
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when all is closed
    port = listener.getsockname()[1]
    sys.stdout.write(json.dumps({"event": "listening", "port": port}) + "\n")
    sys.stdout.flush()
    end = asyncio.create_task(_end_with(service, server))
    await server.serve(sockets=[listener])
    end.cancel()
    if service.failure:
        raise service.failure


async def _end_with(service: ModelService, server: uvicorn.Server) -> None:
    """Stop the server when the model is not served any more."""
    await service.ended.wait()
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay (40 ms a token) only where the protocol is said in full
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadSettings(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    listener.listen(BACKLOG)
    return listener


def _exit_code(error: ProductError) -> int:
    if isinstance(error, UnusableModel):
        return EXIT_MODEL
    return EXIT_SETTINGS if isinstance(error, BadSettings) else EXIT_FAILED


def _exit_now(code: int) -> NoReturn:
    """End without waiting for threads in native code: there is nothing to save."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _exit_now(main())
