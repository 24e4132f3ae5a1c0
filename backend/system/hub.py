"""The Hugging Face hub: what its answers mean, and downloads that go on where they broke off.

Downloads are our own, and plain HTTP. huggingface_hub since 1.18.0 fetches into a file with a name
of its own and deletes it when the download breaks, so the next call begins at the first byte, which
is a pity with a file of 4 GB; and it is 24 MB with what it pulls in, of which the backend needs
nothing else. What goes up goes through it, in `trainer.hub`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2
from filelock import FileLock, Timeout

from backend.domain.errors import (
    Forbidden,
    HashMismatch,
    ProductError,
    TooLarge,
    Unavailable,
    UnknownModel,
)
from backend.system.files import disk_errors, sha256_of
from backend.system.resources import check_disk

ENDPOINT = "https://huggingface.co"
TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - the name of the variable
_TRIES = 5
_SECONDS_BETWEEN_LOOKS = 0.25
Progress = Callable[[int, int], None]
"""Told how many bytes are there, and of how many: of 0 while another process fetches them."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at a commit."""

    repository: str
    path: str
    commit: str

    def __str__(self) -> str:
        return f"{self.repository}/{self.path}"


@dataclass(frozen=True)
class Hub:
    """The hub at an address, and the token that it is asked with; "" may read what is public.

    Its methods raise Forbidden if the token may not read a file, UnknownModel if there is no such
    file at this commit, Unavailable if the hub does not answer.
    """

    token: str = field(default="", repr=False)
    endpoint: str = ENDPOINT

    def small_file(self, file: HubFile, *, limit: int) -> bytes:
        """The content of a file. Raises TooLarge if it has more than `limit` bytes."""
        content = b""
        with self._client() as client, _streamed(client, self._address(file)) as response:
            _check(response, file)
            for piece in response.iter_bytes():
                content += piece
                if len(content) > limit:
                    raise TooLarge(f"{file} has more than {limit} bytes. Is it the right file?")
        return content

    def fetch(
        self, file: HubFile, target: Path, *, sha256: str = "", progress: Progress = lambda *_: None
    ) -> None:
        """Puts a file at `target`, if it is not there with this hash already.

        One process fetches at a time; one that comes second waits for the first and finds the
        file. What a broken download has got stays beside `target` for the next call. Raises also
        DiskFull, and HashMismatch for a file with another hash, which is deleted.
        """
        partial = target.with_suffix(".partial")
        with _alone(partial, progress):
            if target.is_file() and sha256 in ("", sha256_of(target)):
                return
            with self._client() as client:
                _fetch_whole(client, self._address(file), partial, file=file, progress=progress)
            _check_hash(partial, sha256, file)
            partial.replace(target)

    def _client(self) -> httpx2.Client:
        headers = {"Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return httpx2.Client(headers=headers, follow_redirects=True, timeout=30)

    def _address(self, file: HubFile) -> str:
        endpoint = self.endpoint.rstrip("/")
        return f"{endpoint}/{file.repository}/resolve/{file.commit}/{quote(file.path)}"


def refusal(status: int, wish: str) -> ProductError:
    """What the hub's answer means to who wanted to, say, "read team/model"; 0: there was none."""
    if status in (401, 403):
        return Forbidden(
            f"The hub does not let this token {wish} ({status}). Put one that may into the "
            f"environment variable {TOKEN_VARIABLE}."
        )
    if status == httpx2.codes.NOT_FOUND:
        return UnknownModel(
            f"Could not {wish}: the hub has nothing there. Check repository, file and commit."
        )
    said = f"answered {status}" if status else "cannot be reached"
    return Unavailable(f"Could not {wish}: the hub {said}. Run the same command again in a while.")


@contextmanager
def _alone(partial: Path, progress: Progress) -> Iterator[None]:
    """Only one process at a time is here; the others see how far it is."""
    lock = FileLock(partial.with_suffix(".lock"))
    while True:
        try:
            lock.acquire(timeout=_SECONDS_BETWEEN_LOOKS)
            break
        except Timeout:
            progress(_size(partial), 0)
    try:
        yield
    finally:
        Path(lock.lock_file).unlink()  # still locked: who waits for it sees that it is gone
        lock.release()


def _fetch_whole(
    client: httpx2.Client, address: str, partial: Path, *, file: HubFile, progress: Progress
) -> None:
    """Fetches until the file is whole. A broken connection is taken up again while it brings on."""
    tries = 0
    while True:
        before = _size(partial)
        try:
            if _fetch_rest(client, address, partial, file=file, progress=progress):
                return
        except httpx2.TransportError as error:
            tries = 1 if _size(partial) > before else tries + 1
            if tries >= _TRIES:
                raise Unavailable(
                    f"The connection to {httpx2.URL(address).host} broke at {_size(partial)} bytes "
                    f"of {file} ({type(error).__name__}). Run the same command again: it goes on "
                    "from there."
                ) from error
            time.sleep(0.2 * tries)  # backoff


def _fetch_rest(
    client: httpx2.Client, address: str, partial: Path, *, file: HubFile, progress: Progress
) -> bool:
    """Fetches what is missing in one connection; whether nothing is missing then."""
    start = _size(partial)
    headers = {"Range": f"bytes={start}-"} if start else {}
    with client.stream("GET", address, headers=headers) as response:
        if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
            return True
        _check(response, file)
        if response.status_code != httpx2.codes.PARTIAL_CONTENT:
            start = 0
        total = start + int(response.headers.get("Content-Length") or 0)
        check_disk(partial.parent, total - start, step="fetch")
        with disk_errors(), partial.open("ab" if start else "wb") as opened:
            for piece in response.iter_raw():
                opened.write(piece)
                progress(opened.tell(), total)
    return _size(partial) >= total


@contextmanager
def _streamed(client: httpx2.Client, address: str) -> Iterator[httpx2.Response]:
    try:
        with client.stream("GET", address) as response:
            yield response
    except httpx2.TransportError as error:
        raise refusal(0, f"reach {httpx2.URL(address).host}") from error


def _check(response: httpx2.Response, file: HubFile) -> None:
    if response.status_code >= 400:
        raise refusal(response.status_code, f"read {file}")


def _check_hash(partial: Path, sha256: str, file: HubFile) -> None:
    found = sha256_of(partial) if sha256 else ""
    if found != sha256:
        partial.unlink()
        raise HashMismatch(
            f"{file} has sha256 {found}, not {sha256} that its card names. It was deleted. Fetch "
            "it again; if it differs again, the repository was tampered with."
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
