"""Checkpoints on a private hub repository, for machines that may vanish, such as a free Colab.

They go up in the background, each from a file of its own, so that the training neither waits nor
changes what is just being sent. A new machine with the same command, data and settings takes
the last one down and goes on. Once the training has ended well it is removed. The repository's
history still holds what was ever sent (some hundred MB each time for a model of 7 billion
weights); only whoever owns it can be rid of that, by deleting the repository.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from backend.domain.errors import ProductError, UnknownModel
from backend.system.files import link_or_copy
from backend.system.hub import Hub, HubFile
from trainer.hub.repository import hub_errors, private_repository
from trainer.record import CHECKPOINT

_MARK_CHARACTERS = 16


class HubCheckpoints:
    """The checkpoint of one training in one repository."""

    def __init__(self, repository: str, *, mark: str, hub: Hub, say: Callable[[str], None]) -> None:
        """Makes the repository if it is new. Raises as `private_repository`."""
        self._api = private_repository(repository, hub=hub)
        self._hub, self._repository, self._say = hub, repository, say
        self._folder = f"checkpoints/{mark[:_MARK_CHARACTERS]}"
        self._sender = ThreadPoolExecutor(1)
        self._changing = Lock()

    def fetch(self, folder: Path) -> bool:
        """Fetches the checkpoint unless `folder` has its own; whether it did."""
        if (folder / CHECKPOINT).exists():
            return False
        with hub_errors(f"read {self._repository}"):
            commit = str(self._api.model_info(self._repository).sha)
        fetched = folder / f"checkpoint-{commit}.fetched"
        try:
            file = HubFile(self._repository, f"{self._folder}/{CHECKPOINT}", commit)
            self._hub.fetch(file, fetched)
        except UnknownModel:
            return False
        fetched.replace(folder / CHECKPOINT)
        return True

    def put(self, checkpoint: Path) -> None:
        """Sends the checkpoint up in the background.

        One that still waits there gives way to it: what comes later is worth more.
        """
        with self._changing:
            link_or_copy(checkpoint, _waiting(checkpoint))
        self._sender.submit(self._send, checkpoint).add_done_callback(self._tell)

    def close(self) -> None:
        """Waits for what is on its way."""
        self._sender.shutdown()

    def clear(self) -> None:
        """Removes the checkpoint of a training that has ended well."""
        try:
            with hub_errors(f"write to {self._repository}"):
                self._api.delete_folder(
                    self._folder, self._repository, commit_message="Remove the checkpoint"
                )
        except UnknownModel:
            return
        except ProductError as error:
            self._say(f"The checkpoint is still in {self._repository}: {error}")

    def _send(self, checkpoint: Path) -> None:
        sent = checkpoint.with_name(f"{checkpoint.name}.sent")
        with self._changing:
            if not _waiting(checkpoint).exists():
                return  # it went up in place of an older one
            _waiting(checkpoint).replace(sent)
        try:
            with hub_errors(f"write to {self._repository}"):
                self._api.upload_file(
                    path_or_fileobj=sent,
                    path_in_repo=f"{self._folder}/{checkpoint.name}",
                    repo_id=self._repository,
                    commit_message=f"Keep {checkpoint.name}",
                )
        finally:
            sent.unlink(missing_ok=True)

    def _tell(self, sending: Future[None]) -> None:
        error = sending.exception()
        if error:
            self._say(f"The checkpoint stayed here only: {type(error).__name__}: {error}")


def _waiting(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.waiting")
