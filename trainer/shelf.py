"""Checkpoints on a private hub repository, for machines that may vanish, such as a free Colab.

They go up in the background, each from a file of its own, so that the training neither waits nor
changes what is just being sent. A new machine with the same command, data and settings takes
them down and goes on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from huggingface_hub.errors import EntryNotFoundError

from trainer.checkpoints import BEST, CHECKPOINT
from trainer.hub import ERRORS, make_private, refusal, signed_in

_MARK_CHARACTERS = 16


class Shelf:
    """The checkpoints of one training in one repository."""

    def __init__(
        self, repository: str, *, mark: str, token: str, say: Callable[[str], None]
    ) -> None:
        """Makes the repository if it is new.

        Raises Forbidden without a token or for one that may not write, BadInput for a public
        repository, Unavailable if the hub cannot be reached.
        """
        self._api = signed_in(repository, token=token)
        make_private(repository, api=self._api)
        self._repository, self._say = repository, say
        self._folder = f"checkpoints/{mark[:_MARK_CHARACTERS]}"
        self._sender = ThreadPoolExecutor(1)
        self._sending: dict[str, Future[None]] = {}

    def fetch(self, folder: Path) -> bool:
        """Takes the checkpoints down unless `folder` has its own; whether it took any."""
        if (folder / CHECKPOINT).exists():
            return False
        for name in (BEST, CHECKPOINT):
            try:
                found = self._api.hf_hub_download(self._repository, f"{self._folder}/{name}")
            except EntryNotFoundError:
                continue
            except ERRORS as error:
                raise refusal(error, self._repository) from error
            shutil.copyfile(found, folder / f"{name}.unfinished")
            (folder / f"{name}.unfinished").replace(folder / name)
        return (folder / CHECKPOINT).exists()

    def put(self, path: Path) -> None:
        """Sends a file up in the background; not while an older one of its name is on its way."""
        before = self._sending.get(path.name)
        if before and not before.done():
            return
        sent = path.with_name(f"{path.name}.sent")
        sent.unlink(missing_ok=True)
        os.link(path, sent)  # a newer checkpoint takes the name, not the bytes
        self._sending[path.name] = self._sender.submit(self._send, sent, path.name)

    def close(self) -> None:
        """Waits for what is on its way."""
        self._sender.shutdown()

    def _send(self, path: Path, name: str) -> None:
        try:
            self._api.upload_file(
                path_or_fileobj=path,
                path_in_repo=f"{self._folder}/{name}",
                repo_id=self._repository,
                commit_message=f"Keep {name}",
            )
        except ERRORS as error:
            self._say(f"The checkpoint stayed here only: {refusal(error, self._repository)}")
        finally:
            path.unlink(missing_ok=True)
