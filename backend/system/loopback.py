"""This machine's own addresses, and short calls to a server on one of them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy


def answers(url: str, *, timeout: float) -> bool:
    """Whether a GET of this address gives 200 within `timeout` seconds."""
    return _succeeds(urllib.request.Request(url), timeout)  # noqa: S310 - ours


def accepts(url: str, value: object, *, key: str, timeout: float) -> bool:
    """Whether a POST of this JSON to this address gives 200 within `timeout` seconds."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps(value).encode()
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - ours
    return _succeeds(request, timeout)


def _succeeds(request: urllib.request.Request, timeout: float) -> bool:
    try:
        with _STRAIGHT.open(request, timeout=timeout) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
