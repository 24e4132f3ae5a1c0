"""Fourth step: a transformers folder becomes a quantised GGUF with its model card.

The float16 GGUF in between is compared with the model it came from; where they differ, nothing
is exported. What quantising changes is measured too and stands in the card.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.model_card import ModelCard
from trainer.llama_gguf import read_config, write_llama
from trainer.parity import check, parity, prompts
from trainer.quantise import check_kind, quantise, quiet
from trainer.record import Record, read_record

LARGEST_KL = {"F16": 1e-4, "Q8_0": 1e-2, "Q6_K": 5e-2, "Q5_K_M": 1e-1, "Q4_K_M": 3e-1}
DEFAULT_PROMPT_TOKENS = 700


@dataclass(frozen=True)
class Export:
    """What is exported, where to and as what; the card's words that no file knows."""

    model: Path
    out: Path
    kind: str = "Q4_K_M"
    name: str = ""
    licence: str = ""
    passages: int = -1
    """How many passages it was taught to read in a prompt; -1 if any number will do."""
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        check_kind(self.kind)
        if self.out.suffix != ".gguf":
            raise BadInput(f"{self.out} must end in .gguf.")


def export(wanted: Export) -> ModelCard:
    """Writes the GGUF and, beside it, `<stem>.model_card.json`; returns the card.

    Raises UnusableModel if the GGUF does not compute what the model computes.
    """
    quiet()
    record = read_record(wanted.model) or Record(step="")
    budget = record.prompt_tokens or DEFAULT_PROMPT_TOKENS
    texts = prompts(wanted.model, wanted.examples, budget=budget)
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.out.parent) as folder:
        plain = Path(folder) / "f16.gguf"
        write_llama(wanted.model, plain, name=wanted.name or wanted.out.stem)
        measured = {"parity_f16": _compared(wanted.model, plain, texts, "F16")}
        if wanted.kind == "F16":
            plain.replace(wanted.out)
        else:
            smaller = Path(folder) / "quantised.gguf"
            quantise(plain, smaller, wanted.kind)
            measured[f"parity_{wanted.kind.lower()}"] = _compared(
                wanted.model, smaller, texts, wanted.kind
            )
            smaller.replace(wanted.out)
    card = _card(wanted, record, measured)
    wanted.out.with_suffix(".model_card.json").write_text(card.to_json(), encoding="utf-8")
    return card


def sha256(path: Path) -> str:
    """The hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compared(model: Path, gguf: Path, texts: Sequence[str], kind: str) -> dict[str, Any]:
    found = parity(model, gguf, texts)
    check(found, largest_kl=LARGEST_KL[kind], name=f"The GGUF in {kind}")
    return {
        key: float(f"{value:.3g}") if isinstance(value, float) else value
        for key, value in asdict(found).items()
    }


def _card(wanted: Export, record: Record, measured: dict[str, Any]) -> ModelCard:
    template = AutoTokenizer.from_pretrained(wanted.model).chat_template or ""
    losses = record.history.get("validation") or []
    if losses:
        measured = {
            **measured,
            "validation_loss_before": round(losses[0]["loss"], 4),
            "validation_loss": round(losses[-1]["loss"], 4),
        }
    return ModelCard(
        name=wanted.name or wanted.out.stem,
        sha256=sha256(wanted.out),
        base=record.base,
        method=record.method,
        dataset_sha256=record.dataset_sha256,
        prompt_format=record.prompt_format,
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else "",
        quantisation=wanted.kind,
        licence=wanted.licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        context_tokens=int(read_config(wanted.model)["max_position_embeddings"]),
        prompt_tokens=record.prompt_tokens,
        passages=wanted.passages,
        metrics=measured,
    )
