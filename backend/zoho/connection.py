"""The sign-in to Zoho as one private file, shared by all processes of this machine.

The only place where tokens and the client's secret are kept. Nothing here shows them: not in a
`repr`, not in an error.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from backend.domain.errors import ZohoNotConnected, ZohoThrottled, ZohoUnreachable
from backend.system.files import private_folder, write_private
from backend.zoho.data_centres import Hosts
from backend.zoho.oauth import Grant, OAuthClient, refresh

EARLY_SECONDS = 60.0
TOKENS_IN_TEN_MINUTES = 9
"""One fewer than Zoho gives for a refresh token (accounts documentation, "Access token expiry")."""
_TEN_MINUTES = 600.0
_LOCK_SECONDS = 90.0


@dataclass(frozen=True)
class Connection:
    """One sign-in: the client, its tokens, and where they are good."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    expires_at: float
    scopes: tuple[str, ...]
    data_centre: str
    hosts: Hosts
    org_id: str = ""
    refreshed: tuple[float, ...] = ()
    blocked_until: float = 0.0

    @property
    def client(self) -> OAuthClient:
        """The client that this sign-in belongs to."""
        return OAuthClient(self.client_id, self.client_secret)

    def with_grant(self, grant: Grant, *, now: float) -> Connection:
        """The same sign-in with a newer access token."""
        recent = tuple(moment for moment in self.refreshed if moment > now - _TEN_MINUTES)
        return replace(
            self,
            access_token=grant.access_token,
            expires_at=now + grant.seconds,
            refreshed=(*recent, now),
            blocked_until=0.0,
        )


class ConnectionFile:
    """`connection.json`, mode 0600 in a folder of mode 0700, and its lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "connection.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among all processes and threads. Raises ZohoUnreachable if another hangs."""
        private_folder(self.folder)
        try:
            with FileLock(self.folder / "connection.lock", timeout=_LOCK_SECONDS, mode=0o600):
                yield
        except Timeout as error:
            raise ZohoUnreachable(
                f"Another process holds {error.lock_file} for {_LOCK_SECONDS:.0f} s. "
                "End it, then try again."
            ) from None

    def read(self) -> Connection:
        """The sign-in. Raises ZohoNotConnected."""
        try:
            found: dict[str, Any] = json.loads(self.path.read_bytes())
            hosts = Hosts(**found.pop("hosts"))
            scopes, refreshed = tuple(found.pop("scopes")), tuple(found.pop("refreshed"))
            return Connection(**found, hosts=hosts, scopes=scopes, refreshed=refreshed)
        except FileNotFoundError:
            raise ZohoNotConnected(
                "Zoho is not connected. Run `suggest-answer zoho connect`."
            ) from None
        except (ValueError, TypeError, KeyError):
            raise ZohoNotConnected(
                f"{self.path} cannot be read. Run `suggest-answer zoho connect` again."
            ) from None

    def write(self, connection: Connection) -> None:
        """Keeps the sign-in."""
        private_folder(self.folder)
        write_private(self.path, json.dumps(asdict(connection)).encode())

    def delete(self) -> None:
        """Forgets the sign-in."""
        self.path.unlink(missing_ok=True)


class Tokens:
    """Access tokens that are good for a minute at least, refreshed by one process for all."""

    def __init__(self, file: ConnectionFile, *, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self.connection = file.read()

    def access(self) -> str:
        """A token to use now. Raises ZohoSignInFailed, ZohoThrottled or ZohoUnreachable."""
        with self._lock:
            if self._is_stale(self.connection):
                self._refresh(after="")
            return self.connection.access_token

    def renew(self, refused: str) -> str:
        """Another token than the one that Zoho just refused, made only if no one else has."""
        with self._lock:
            if self.connection.access_token == refused or self._is_stale(self.connection):
                self._refresh(after=refused)
            return self.connection.access_token

    def _is_stale(self, connection: Connection) -> bool:
        return connection.expires_at - EARLY_SECONDS <= self._clock()

    def _refresh(self, *, after: str) -> None:
        with self._file.locked():
            kept = self._file.read()
            if kept.access_token == after or self._is_stale(kept):
                kept = self._refreshed(kept)
            self.connection = kept

    def _refreshed(self, kept: Connection) -> Connection:
        now = self._clock()
        recent = [moment for moment in kept.refreshed if moment > now - _TEN_MINUTES]
        wait = kept.blocked_until - now
        if len(recent) >= TOKENS_IN_TEN_MINUTES:
            wait = max(wait, recent[0] + _TEN_MINUTES - now)
        if wait > 0:
            raise ZohoThrottled(
                "Zoho gives a sign-in 10 access tokens in 10 minutes, and they are used up. "
                f"Try again in {wait / 60:.0f} minutes.",
                retry_after_seconds=wait,
            )
        try:
            grant = refresh(kept.refresh_token, kept.client, kept.hosts)
        except ZohoThrottled as error:
            self._file.write(replace(kept, blocked_until=now + error.retry_after_seconds))
            raise
        fresh = kept.with_grant(grant, now=now)
        self._file.write(fresh)
        return fresh
