"""Last step: adapter, merged GGUF and card go to a private Hugging Face repository.

What is pushed was made from customers' texts, so a public repository is refused. The answer is a
commit: a backend that fetches the model at it gets these bytes and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd

from backend.domain.errors import BadInput, HashMismatch
from backend.domain.model_card import ModelCard
from backend.system.files import sha256_of
from backend.system.hub import Hub
from trainer.hub.repository import hub_errors, private_repository
from trainer.record import ADAPTER_FILES, RECORD, TEMPLATE, card_path

_OF_ADAPTER = (*ADAPTER_FILES, RECORD)


@dataclass(frozen=True)
class Push:
    """What goes to which repository; the adapter may stay at home."""

    repository: str
    gguf: Path
    adapter: Path | None = None


def push(wanted: Push, *, hub: Hub) -> str:
    """Uploads all files in one commit; returns `hf://…@commit`, which the backend fetches.

    Raises Forbidden without a token or for one that may not write, BadInput for a public
    repository, HashMismatch if the GGUF is not the one its card names, Unavailable if the hub
    cannot be reached.
    """
    files, card = _files(wanted), _card(wanted.gguf)
    api = private_repository(wanted.repository, hub=hub)
    with hub_errors(f"write to {wanted.repository}"):
        done = api.create_commit(
            wanted.repository,
            [CommitOperationAdd(name, str(path)) for name, path in files.items()]
            + [CommitOperationAdd("README.md", _readme(card).encode())],
            commit_message=f"Add {wanted.gguf.stem}",
        )
    return f"hf://{wanted.repository}/{wanted.gguf.name}@{done.oid}"


def _files(wanted: Push) -> dict[str, Path]:
    """All files by their path in the repository, the GGUF checked against its card."""
    card = card_path(wanted.gguf)
    files = {wanted.gguf.name: wanted.gguf, card.name: card}
    if wanted.adapter:
        of_adapter = [wanted.adapter / name for name in _OF_ADAPTER]
        template = wanted.adapter / TEMPLATE  # there if the base has none of its own
        of_adapter += [template] if template.is_file() else []
        files |= {f"adapter/{path.name}": path for path in of_adapter}
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        raise BadInput(f"{missing[0]} is no file. Train, merge and export come before push.")
    expected, found = _card(wanted.gguf).sha256, sha256_of(wanted.gguf)
    if found != expected:
        raise HashMismatch(
            f"{wanted.gguf} has sha256 {found}, not {expected} that its card names. "
            "Export it again."
        )
    return files


def _card(gguf: Path) -> ModelCard:
    return ModelCard.from_json(card_path(gguf).read_bytes())


def _readme(card: ModelCard) -> str:
    """The card as the hub shows it."""
    facts = {
        "Base": card.base,
        "Method": card.method,
        "Quantisation": card.quantisation,
        "Prompt format": card.prompt_format,
        "Context": f"{card.context_tokens} tokens",
        "Licence": card.licence,
        "sha256": card.sha256,
    }
    lines = [f"| {name} | {value} |" for name, value in facts.items() if value]
    lines += [f"| {name} | {value} |" for name, value in _plain(card.metrics)]
    head = f"---\nlibrary_name: gguf\n---\n\n# {card.name}\n\n"
    return head + "| what | value |\n|---|---|\n" + "\n".join(lines) + "\n"


def _plain(metrics: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    """Figures in figures, with their names joined."""
    rows: list[tuple[str, object]] = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            rows += _plain(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value))
    return rows
