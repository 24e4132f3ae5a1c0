"""The model card of an export, beside its GGUF: what is known of how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from backend.domain.model_card import ModelCard
from trainer.gguf.convert import context_tokens
from trainer.record import Record, card_path


def card_of(gguf: Path) -> ModelCard | None:
    """The card beside a GGUF, if it has one. Raises UnusableModel if it cannot be read."""
    path = card_path(gguf)
    return ModelCard.from_json(path.read_bytes()) if path.is_file() else None


def card_of_export(model: Path, made: Record | None, *, metrics: Mapping[str, Any]) -> ModelCard:
    """The card of a GGUF made from the folder, with all that is told by how it was made.

    Name, hash and quantisation are those of the file, to be filled in.
    """
    record = made or Record(step="")
    template = AutoTokenizer.from_pretrained(model).chat_template or ""
    return ModelCard(
        name=model.name,
        sha256="",
        base=record.base,
        method=record.method,
        dataset_sha256=record.dataset_sha256,
        prompt_format=record.prompt_format,
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else "",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        context_tokens=context_tokens(model),
        prompt_tokens=record.prompt_tokens,
        passages=record.passages,
        metrics={**metrics, **_losses(record), **_settings(record)},
    )


def _losses(record: Record) -> dict[str, float]:
    """Before the training, and of the weights that won: those with the least."""
    losses = [measurement["loss"] for measurement in record.history.get("validation") or []]
    if not losses:
        return {}
    return {
        "validation_loss_before": round(losses[0], 4),
        "validation_loss": round(min(losses), 4),
    }


def _settings(record: Record) -> dict[str, Any]:
    """How the weights were trained, where they were: the adapter with its record may be lost."""
    settings = {name: value for name, value in record.settings.items() if name != "fingerprint"}
    return {"settings": settings} if settings else {}
