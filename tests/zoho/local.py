"""A local Zoho for a test: `with local_zoho(tickets=200) as zoho:` starts it as a real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.zoho.portal import CLIENT_ID, CLIENT_SECRET, ORG_ID

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "ORG_ID", "LocalZoho", "local_zoho"]
ROOT = Path(__file__).resolve().parent.parent.parent
Json = dict[str, Any]


class LocalZoho:
    """Where it listens, and the side door by which a test sets what happens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def fault(self, kind: str, path: str = "", **more: Any) -> None:
        """Something goes wrong on paths that match; see `tests.zoho.portal.Fault`."""
        self._post("fault", {"kind": kind, "path": path, **more})

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._post("calm", {})

    def reply(self, ticket_id: str, text: str = "One more thing.") -> None:
        """A customer writes into a ticket now."""
        self._post("call", {"name": "reply", "arguments": [ticket_id, text]})

    def delete(self, kind: str, record_id: str) -> None:
        """A record disappears; kinds: tickets, articles, Cases, Solutions."""
        self._post("call", {"name": "delete", "arguments": [kind, record_id]})

    def touch(self, kind: str, record_id: str) -> None:
        """A record changes now; kinds as for `delete`."""
        self._post("call", {"name": "touch", "arguments": [kind, record_id]})

    def grant(self, *scopes: str) -> str:
        """A code as the Self Client page shows it."""
        return str(self._post("call", {"name": "grant", "arguments": [",".join(scopes)]})["result"])

    def rules(self, **rules: Any) -> None:
        """Other rules of the portal, such as `token_seconds=5` or `credits_left=100`."""
        self._post("set", rules)

    def seen(self) -> Json:
        """What callers did so far: paths, grants, most_running, credits_left."""
        return dict(self._session.get(f"{self.url}/_local/seen", timeout=30).json())

    def secrets(self) -> list[str]:
        """Every token that was handed out."""
        return list(self._session.get(f"{self.url}/_local/secrets", timeout=30).json())

    def _post(self, name: str, body: Json) -> Json:
        answer = self._session.post(f"{self.url}/_local/{name}", json=body, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())


@contextmanager
def local_zoho(*, tickets: int = 60, cases: int = 40) -> Iterator[LocalZoho]:
    """A running local Zoho; it ends with the block."""
    command = [sys.executable, "-m", "tests.zoho", "--tickets", str(tickets), "--cases", str(cases)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://"), "the local Zoho did not start"
            yield LocalZoho(address)
        finally:
            process.kill()
