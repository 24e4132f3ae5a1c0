"""Fourth step: a transformers folder becomes a quantised GGUF with its model card.

The float16 GGUF in between is compared with the model it came from; where they differ, nothing
is exported. What quantising changes is measured too and stands in the card. Each part is a file
in a folder of steps, so that an export goes on where it was broken off.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.model_card import ModelCard
from trainer.cards import card_of_export
from trainer.converter import convert_with
from trainer.gguf_file import check_writable, write_gguf
from trainer.parity import Extent, Parity, Written, check, parity, prompts, usual_extent, written
from trainer.quantise import KINDS, check_kind, quantise
from trainer.record import Record, fingerprint, read_record
from trainer.reference import reference_logits, save_logits, saved_logits
from trainer.room import check_disk, check_memory
from trainer.steps import Steps, mark_of_folder
from trainer.tensor_files import TensorFolder

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
    work: Path | None = None
    """Where the steps' files stay, for another quantisation; else they go when all is done."""
    converter: Path | None = None
    """llama.cpp's own `convert_hf_to_gguf.py`, for a family that is not known here."""
    extent: Extent | None = None

    def __post_init__(self) -> None:
        check_kind(self.kind)
        if self.out.suffix != ".gguf":
            raise BadInput(f"{self.out} must end in .gguf.")

    @property
    def called(self) -> str:
        """The model's name."""
        return self.name or self.out.stem


def export(wanted: Export) -> ModelCard:
    """Writes the GGUF and, beside it, `<stem>.model_card.json`; returns the card.

    Raises UnfaithfulModel if the GGUF does not compute what the model computes, DiskFull or
    Unavailable before anything is written if there is no room.
    """
    if wanted.converter is None:
        check_writable(wanted.model)
    work = wanted.work or wanted.out.with_suffix(".steps")
    for folder in (work, wanted.out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    extent = wanted.extent or usual_extent(wanted.model)
    _check_room(wanted, work, extent)
    steps = Steps(work)
    plain = steps.file("F16.gguf", _mark(wanted), lambda path: _convert(wanted, path))
    metrics = {"parity_f16": _measured(wanted, "F16", steps, extent)}
    finished = plain
    if wanted.kind != "F16":
        finished = steps.file(
            f"{wanted.kind}.gguf",
            fingerprint(steps.made("F16.gguf"), wanted.kind),
            lambda path: quantise(plain, path, wanted.kind),
        )
        metrics[f"parity_{wanted.kind.lower()}"] = _measured(wanted, wanted.kind, steps, extent)
    sha256 = steps.made(finished.name)
    if wanted.work is None:
        finished.replace(wanted.out)
        shutil.rmtree(work)
    else:
        _copy(finished, wanted.out)
    card = _card(wanted, sha256, metrics)
    wanted.out.with_suffix(".model_card.json").write_text(card.to_json(), encoding="utf-8")
    return card


def _card(wanted: Export, sha256: str, metrics: dict[str, Any]) -> ModelCard:
    card = card_of_export(wanted.model, read_record(wanted.model), metrics=metrics)
    return replace(
        card,
        name=wanted.called,
        sha256=sha256,
        quantisation=wanted.kind,
        licence=wanted.licence,
        passages=wanted.passages,
    )


def _mark(wanted: Export) -> str:
    return fingerprint(mark_of_folder(wanted.model), wanted.called, str(wanted.converter))


def _convert(wanted: Export, path: Path) -> None:
    if wanted.converter:
        convert_with(wanted.converter, wanted.model, path)
    else:
        write_gguf(wanted.model, path, name=wanted.called)


def _measured(wanted: Export, kind: str, steps: Steps, extent: Extent) -> dict[str, Any]:
    """Compares the GGUF of a kind with the model. Raises UnfaithfulModel, naming the step."""
    texts = _written(wanted, steps, extent)
    reference = steps.file(
        "reference.npz",
        fingerprint(steps.made("written.json"), mark_of_folder(wanted.model)),
        lambda path: save_logits(path, reference_logits(wanted.model, [one.ids for one in texts])),
    )
    name, gguf = f"parity_{kind}.json", steps.folder / f"{kind}.gguf"
    measured = steps.file(
        name,
        fingerprint(steps.made("reference.npz"), steps.made(gguf.name)),
        lambda path: _write_json(path, asdict(parity(gguf, texts, saved_logits(reference)))),
    )
    found = Parity(**json.loads(measured.read_text(encoding="utf-8")))
    step = "convert" if kind == "F16" else f"quantise to {kind}"
    check(found, largest_kl=KINDS[kind].largest_kl, step=step)
    return found.to_metrics()


def _written(wanted: Export, steps: Steps, extent: Extent) -> Sequence[Written]:
    """The prompts with what the float16 GGUF writes after them."""
    record = read_record(wanted.model) or Record(step="")
    budget = record.prompt_tokens or DEFAULT_PROMPT_TOKENS
    texts = prompts(wanted.model, wanted.examples, budget=budget, count=extent.prompts)
    path = steps.file(
        "written.json",
        fingerprint(steps.made("F16.gguf"), *texts, extent.tokens),
        lambda path: _write_json(
            path,
            [
                asdict(one)
                for one in written(
                    steps.folder / "F16.gguf", texts, wanted.model, tokens=extent.tokens
                )
            ],
        ),
    )
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Written(tuple(row["ids"]), row["prompt_tokens"]) for row in rows]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _check_room(wanted: Export, work: Path, extent: Extent) -> None:
    """Refuses before the first step what would fail in a later one."""
    weights = TensorFolder(wanted.model)
    config = json.loads((wanted.model / "config.json").read_text(encoding="utf-8"))
    record = read_record(wanted.model) or Record(step="")
    longest = (record.prompt_tokens or DEFAULT_PROMPT_TOKENS) + extent.tokens
    logits = 4 * int(config.get("vocab_size", 0)) * longest
    bits = 16 + (KINDS[wanted.kind].bits if wanted.kind != "F16" else 0)
    check_disk(work, int(weights.elements * bits / 8) + logits * extent.prompts, step="export")
    check_memory(12 * weights.largest + 10 * logits, step="export")


def _copy(source: Path, target: Path) -> None:
    """The same file under another name, as a link where the disk can."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
