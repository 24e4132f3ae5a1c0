"""Fetches a GGUF and its card from a Hugging Face repository, at one exact commit.

Plain HTTP against the hub's `resolve` address. huggingface_hub would do it too, but its version
2.4 throws away what a broken download had got, which is a pity with a file of 4 GB.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2

from backend.domain.errors import (
    BadInput,
    Forbidden,
    HashMismatch,
    Unavailable,
    UnknownModel,
    UnusableModel,
)
from backend.domain.model_card import FILE_NAME, ModelCard, check_prompt_format
from backend.system.files import sha256_of
from backend.system.resources import check_disk

SCHEME = "hf://"
ENDPOINT = "https://huggingface.co"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REFERENCE = re.compile(rf"hf://({_NAME}/{_NAME})/((?:{_NAME}/)*{_NAME}\.gguf)(?:@(.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRIES = 5
_LARGEST_CARD = 1 << 20
Progress = Callable[[int, int], None]
"""Told how many bytes are there, and of how many."""


@dataclass(frozen=True)
class Reference:
    """A file of a repository at a commit."""

    repository: str
    file: str
    commit: str

    @staticmethod
    def parse(text: str) -> Reference:
        """The reference in `hf://org/repo/file.gguf@<commit>`. Raises BadInput for anything else.

        A branch or a tag can point elsewhere tomorrow, so neither is accepted.
        """
        found = _REFERENCE.fullmatch(text)
        if not found:
            raise BadInput(
                f"{text!r} is no file on the hub. Write hf://org/repository/file.gguf@commit."
            )
        repository, file, commit = found.groups()
        if not _COMMIT.fullmatch(commit or ""):
            raise BadInput(
                f"{text!r} names no commit. What a branch or tag holds can change: give the 40 "
                "digits that `python -m trainer push` printed, as …file.gguf@<40 hex digits>."
            )
        return Reference(repository, file, commit)

    def address(self, endpoint: str, file: str) -> str:
        """Where a file of the repository lies at this commit."""
        return f"{endpoint.rstrip('/')}/{self.repository}/resolve/{self.commit}/{quote(file)}"

    def folder(self, models: Path) -> Path:
        """The folder it is kept in, apart from every other repository and commit."""
        return models / self.repository.replace("/", "--") / self.commit


def fetch(
    reference: Reference,
    models: Path,
    *,
    token: str = "",
    endpoint: str = ENDPOINT,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The GGUF on this disk, with its card beside it; what is there already is not fetched again.

    Raises UnusableModel if there is no card with a hash, HashMismatch if the file is not the one
    that the card names, Forbidden, UnknownModel, DiskFull, or Unavailable if the connection broke:
    the next call then goes on where this one stopped.
    """
    folder = reference.folder(models)
    target = folder / Path(reference.file).name
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx2.Client(headers=headers, follow_redirects=True, timeout=30) as client:
        card = _card(client, reference, endpoint)
        folder.mkdir(parents=True, exist_ok=True)
        if not (target.is_file() and sha256_of(target) == card.sha256):
            partial = target.with_suffix(".partial")
            address = reference.address(endpoint, reference.file)
            _whole(client, address, partial, progress)
            _check_hash(partial, card, reference)
            partial.replace(target)
    target.with_name(f"{target.stem}.{FILE_NAME}").write_text(card.to_json(), encoding="utf-8")
    return target


def _card(client: httpx2.Client, reference: Reference, endpoint: str) -> ModelCard:
    """The card beside the file, under either of its names."""
    stem = reference.file.removesuffix(".gguf")
    parent = stem.rpartition("/")[0]
    for name in (f"{stem}.{FILE_NAME}", f"{parent}/{FILE_NAME}".lstrip("/")):
        address = reference.address(endpoint, name)
        with _answered(client, address) as response:
            if response.status_code == httpx2.codes.NOT_FOUND:
                continue
            _check_status(response, reference)
            text = b"".join(_at_most(response.iter_bytes(), _LARGEST_CARD))
        card = ModelCard.from_json(text)
        if not re.fullmatch(r"[0-9a-f]{64}", card.sha256):
            raise UnusableModel(f"The card of {reference.file} names no sha256. Push it again.")
        check_prompt_format(card)
        return card
    raise UnusableModel(
        f"{reference.repository} has no file {reference.file} with a model card beside it at this "
        "commit, or your token may not read it. `python -m trainer push` writes both; a private "
        "repository needs a token in HF_TOKEN."
    )


def _whole(client: httpx2.Client, address: str, partial: Path, progress: Progress) -> None:
    """Fetches until the file is whole. A broken connection is taken up again while it brings on."""
    tries = 0
    while True:
        before = _size(partial)
        try:
            if _fetched(client, address, partial, progress):
                return
        except httpx2.TransportError as error:
            tries = 1 if _size(partial) > before else tries + 1
            if tries >= _TRIES:
                raise Unavailable(
                    f"The connection to {httpx2.URL(address).host} broke at {_size(partial)} bytes "
                    f"({type(error).__name__}). Run the same command again: it goes on from there."
                ) from error
            time.sleep(0.2 * tries)


def _fetched(client: httpx2.Client, address: str, partial: Path, progress: Progress) -> bool:
    """Fetches what is missing in one connection; whether nothing is missing then."""
    start = _size(partial)
    headers = {"Range": f"bytes={start}-"} if start else {}
    with _answered(client, address, headers) as response:
        if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
            return True
        _check_status(response, address)
        if response.status_code != httpx2.codes.PARTIAL_CONTENT:
            start = 0
        total = start + int(response.headers.get("Content-Length") or 0)
        check_disk(partial.parent, total - start, step="fetch")
        with partial.open("ab" if start else "wb") as file:
            for piece in response.iter_raw():
                file.write(piece)
                progress(file.tell(), total)
    return _size(partial) >= total


@contextmanager
def _answered(
    client: httpx2.Client, address: str, headers: dict[str, str] | None = None
) -> Iterator[httpx2.Response]:
    plain = {"Accept-Encoding": "identity", **(headers or {})}
    with client.stream("GET", address, headers=plain) as response:
        yield response


def _check_status(response: httpx2.Response, what: object) -> None:
    named = f"{what.repository}/{what.file}" if isinstance(what, Reference) else str(what)
    status = response.status_code
    if status in (401, 403):
        raise Forbidden(
            f"The hub does not give {named} to this token ({status}). Put one that may read the "
            "repository into the environment variable HF_TOKEN."
        )
    if status == httpx2.codes.NOT_FOUND:
        raise UnknownModel(f"The hub has no {named}: check repository, file and commit.")
    if status >= 400:
        raise Unavailable(f"The hub answered {status} for {named}. Try again in a while.")


def _check_hash(partial: Path, card: ModelCard, reference: Reference) -> None:
    found = sha256_of(partial)
    if found != card.sha256:
        partial.unlink()
        raise HashMismatch(
            f"{reference.file} has sha256 {found}, not {card.sha256} that its card names. It was "
            "deleted. Fetch it again; if it differs again, the repository was tampered with."
        )


def _at_most(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    for piece in pieces:
        limit -= len(piece)
        if limit < 0:
            raise UnusableModel("The model card is larger than a card can be. Push it again.")
        yield piece


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
