"""Fourth step: a transformers folder becomes a quantised GGUF with its model card.

The float16 GGUF in between is compared with the model it came from; where they differ, nothing
is exported. What quantising changes is measured too and stands in the card. Each part is a file
in a folder of steps, so that an export goes on where it was broken off.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.model_card import ModelCard
from backend.system.files import link_or_copy, write_whole
from backend.system.resources import check_disk, check_memory
from trainer.gguf.convert import check_writable, convert_with, write_gguf
from trainer.gguf.families import read_config_file
from trainer.gguf.model_card import card_of_export, card_path
from trainer.gguf.parity import (
    Extent,
    Parity,
    Written,
    check,
    memory_to_compare,
    parity,
    prompts,
    usual_extent,
    written,
)
from trainer.gguf.quantise import KINDS, check_kind, quantise
from trainer.gguf.reference import reference_logits, save_logits, saved_logits
from trainer.gguf.tensor_files import TensorFolder
from trainer.record import Steps, fingerprint, mark_of_folder, prompt_budget, read_record


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
    accepted: float = 1.0
    """How many times the usual limits quantising may exceed; stands in the card if not 1."""

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
    steps = Steps(work)
    _check_room(wanted, steps, extent)
    plain = steps.file("F16.gguf", _mark(wanted), lambda path: _convert(wanted, path))
    metrics: dict[str, Any] = {"parity_f16": _measured(wanted, "F16", steps, extent)}
    finished = plain
    if wanted.kind != "F16":
        finished = steps.file(
            f"{wanted.kind}.gguf",
            _mark_of_kind(wanted, steps),
            lambda path: quantise(plain, path, wanted.kind),
        )
        metrics[f"parity_{wanted.kind.lower()}"] = _measured(wanted, wanted.kind, steps, extent)
        if wanted.accepted != 1.0:
            metrics["accepted_times_the_limits"] = wanted.accepted
    card = _card(wanted, steps.made(finished.name), metrics)
    write_whole(card_path(wanted.out), card.to_json())
    if wanted.work is None:
        finished.replace(wanted.out)
        shutil.rmtree(work)
    else:
        link_or_copy(finished, wanted.out)
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


def _mark_of_kind(wanted: Export, steps: Steps) -> str:
    return fingerprint(steps.made("F16.gguf"), wanted.kind)


def _mark_of_reference(wanted: Export, steps: Steps) -> str:
    return fingerprint(steps.made("written.json"), mark_of_folder(wanted.model))


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
        _mark_of_reference(wanted, steps),
        lambda path: save_logits(path, reference_logits(wanted.model, [one.ids for one in texts])),
    )
    name, gguf = f"parity_{kind}.json", steps.folder / f"{kind}.gguf"
    measured = steps.file(
        name,
        fingerprint(steps.made("reference.npz"), steps.made(gguf.name)),
        lambda path: _write_json(path, asdict(parity(gguf, texts, saved_logits(reference)))),
    )
    found = Parity(**json.loads(measured.read_text(encoding="utf-8")))
    if kind == "F16":
        check(found, KINDS[kind].limits, step="convert")
    else:
        check(found, KINDS[kind].limits.times(wanted.accepted), step=f"quantise to {kind}")
    return found.to_metrics()


def _written(wanted: Export, steps: Steps, extent: Extent) -> Sequence[Written]:
    """The prompts with what the float16 GGUF writes after them."""
    budget = _budget(wanted)
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


def _budget(wanted: Export) -> int:
    return prompt_budget(read_record(wanted.model))


def _check_room(wanted: Export, steps: Steps, extent: Extent) -> None:
    """Refuses before the first step what would fail in a later one."""
    check_disk(steps.folder, bytes_to_write(wanted, steps, extent), step="export")
    logits = memory_to_compare(wanted.model, budget=_budget(wanted), extent=extent)
    check_memory(12 * TensorFolder(wanted.model).largest + logits, step="export")


def bytes_to_write(wanted: Export, steps: Steps, extent: Extent) -> int:
    """What the steps will write that are not finished yet."""
    elements = TensorFolder(wanted.model).elements
    words = int(read_config_file(wanted.model).get("vocab_size", 0))
    logits = 4 * words * (_budget(wanted) + extent.tokens) * extent.prompts
    quantised = 0 if wanted.kind == "F16" else int(elements * KINDS[wanted.kind].bits / 8)
    if not steps.has("F16.gguf", _mark(wanted)):
        return 2 * elements + quantised + logits
    if quantised and steps.has(f"{wanted.kind}.gguf", _mark_of_kind(wanted, steps)):
        quantised = 0
    written = (steps.folder / "written.json").is_file()
    if written and steps.has("reference.npz", _mark_of_reference(wanted, steps)):
        logits = 0
    return quantised + logits
