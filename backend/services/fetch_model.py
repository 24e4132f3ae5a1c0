"""Fetches a GGUF and its card from a Hugging Face repository, at one exact commit."""

from __future__ import annotations

import re
from pathlib import Path

from backend.domain.errors import BadInput, TooLarge, UnknownModel, UnusableModel
from backend.domain.model_card import FILE_NAME, ModelCard, check_prompt_format
from backend.system.files import write_whole
from backend.system.hub import Hub, HubFile, Progress

SCHEME = "hf://"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REFERENCE = re.compile(rf"hf://({_NAME}/{_NAME})/((?:{_NAME}/)*{_NAME}\.gguf)(?:@(.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGEST_CARD = 1 << 20


def hub_file(reference: str) -> HubFile:
    """The file of `hf://org/repo/file.gguf@<commit>`. Raises BadInput for anything else.

    A branch or a tag can point elsewhere tomorrow, so neither is accepted.
    """
    found = _REFERENCE.fullmatch(reference)
    if not found:
        raise BadInput(
            f"{reference!r} is no file on the hub. Write hf://org/repository/file.gguf@commit."
        )
    repository, path, commit = found.groups()
    if not _COMMIT.fullmatch(commit or ""):
        raise BadInput(
            f"{reference!r} names no commit. What a branch or tag holds can change: give the 40 "
            "digits that `python -m trainer push` printed, as …file.gguf@<40 hex digits>."
        )
    return HubFile(repository, path, commit)


def fetch(
    file: HubFile, models: Path, *, hub: Hub, progress: Progress = lambda done, total: None
) -> Path:
    """The GGUF on this disk, with its card beside it; what is there already is not fetched again.

    It lies apart from every other repository and commit. Raises UnusableModel if there is no card
    with a hash, HashMismatch if the file is not the one that the card names, and what `Hub` raises.
    """
    card = _card(file, hub)
    folder = models / file.repository.replace("/", "--") / file.commit
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(file.path).name
    hub.fetch(file, target, sha256=card.sha256, progress=progress)
    write_whole(target.with_name(f"{target.stem}.{FILE_NAME}"), card.to_json())
    return target


def _card(file: HubFile, hub: Hub) -> ModelCard:
    """The card beside the file, under either of its names."""
    stem = file.path.removesuffix(".gguf")
    parent = stem.rpartition("/")[0]
    for name in (f"{stem}.{FILE_NAME}", f"{parent}/{FILE_NAME}".lstrip("/")):
        try:
            text = hub.small_file(HubFile(file.repository, name, file.commit), limit=_LARGEST_CARD)
        except UnknownModel:
            continue
        except TooLarge as error:
            raise UnusableModel(
                "The model card is larger than a card can be. Push it again."
            ) from error
        card = ModelCard.from_json(text)
        if not re.fullmatch(r"[0-9a-f]{64}", card.sha256):
            raise UnusableModel(f"The card of {file.path} names no sha256. Push it again.")
        check_prompt_format(card)
        return card
    raise UnusableModel(
        f"{file.repository} has no file {file.path} with a model card beside it at this commit, "
        "or your token may not read it. `python -m trainer push` writes both; a private "
        "repository needs a token in HF_TOKEN."
    )
