"""Fourth step: a transformers folder becomes a quantised GGUF with its model card.

The float16 GGUF in between is compared with the model it came from; where they differ, nothing
is exported. What quantising changes is measured too and stands in the card.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.model_card import ModelCard
from backend.system.files import link_or_copy, sha256_of, whole_file, write_whole
from backend.system.resources import check_disk, check_memory
from trainer.gguf.convert import check_writable, convert_with, write_gguf
from trainer.gguf.families import read_config_file
from trainer.gguf.logits import reference_logits, save_logits, saved_logits
from trainer.gguf.model_card import card_of_export
from trainer.gguf.parity import (
    ComparisonSize,
    Continuation,
    Parity,
    check,
    continuations,
    memory_to_compare,
    parity,
    prompts,
    usual_size,
)
from trainer.gguf.quantise import QUANTISATIONS, check_quantisation, quantise
from trainer.record import card_path, fingerprint, mark_of_folder, prompt_budget, read_record
from trainer.tensor_files import TensorFolder

_NOTES = "steps.json"


@dataclass(frozen=True)
class Export:
    """What is exported, where to and as what; the card's words that no file knows."""

    model: Path
    out: Path
    kind: str = "Q4_K_M"
    name: str = ""
    licence: str = ""
    passages: int | None = None
    """How many passages it reads in a prompt, -1: any number; None: as its record says."""
    examples: tuple[Example, ...] = ()
    work: Path | None = None
    """Where the steps' files stay, for another quantisation; else they go when all is done."""
    converter: Path | None = None
    """llama.cpp's own `convert_hf_to_gguf.py`, for a family that is not known here."""
    comparison: ComparisonSize | None = None
    accepted: float = 1.0
    """How many times the usual limits quantising may exceed; stands in the card if not 1."""

    def __post_init__(self) -> None:
        check_quantisation(self.kind)
        if self.out.suffix != ".gguf":
            raise BadInput(f"{self.out} must end in .gguf.")

    @property
    def called(self) -> str:
        """The model's name."""
        return self.name or self.out.stem


@dataclass(frozen=True)
class Steps:
    """A folder with a file of each step, so that an export goes on where it was broken off.

    What a step made is noted with the hash of the file and a mark of what it was made from. A step
    whose file still has this hash, made from the same, is not done again.
    """

    folder: Path

    def file(self, name: str, made_from: str, make: Callable[[Path], None]) -> Path:
        """The file of a step, made now unless it was finished before."""
        path, notes = self.folder / name, self._notes()
        if self.has(name, made_from) and sha256_of(path) == notes[name]["sha256"]:
            return path
        with whole_file(path) as unfinished:
            make(unfinished)
        notes[name] = {"from": made_from, "sha256": sha256_of(path)}
        write_whole(self.folder / _NOTES, json.dumps(notes, indent=1) + "\n")
        return path

    def has(self, name: str, made_from: str) -> bool:
        """Whether a step's file was finished and made from this, without reading it whole."""
        same = self._notes().get(name, {}).get("from") == made_from
        return same and (self.folder / name).is_file()

    def made(self, name: str) -> str:
        """The hash of a finished step's file; the next step is made from it."""
        return self._notes()[name]["sha256"]

    def _notes(self) -> dict[str, dict[str, str]]:
        try:
            notes: dict[str, dict[str, str]] = json.loads((self.folder / _NOTES).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return notes


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
    size = wanted.comparison or usual_size(wanted.model)
    steps = Steps(work)
    _check_resources(wanted, steps, size)
    plain = steps.file("F16.gguf", _mark(wanted), lambda path: _convert(wanted, path))
    metrics: dict[str, Any] = {"parity_f16": _measured(wanted, "F16", steps, size)}
    finished = plain
    if wanted.kind != "F16":
        finished = steps.file(
            f"{wanted.kind}.gguf",
            _mark_of_kind(wanted, steps),
            lambda path: quantise(plain, path, wanted.kind),
        )
        metrics[f"parity_{wanted.kind.lower()}"] = _measured(wanted, wanted.kind, steps, size)
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
    passages = card.passages if wanted.passages is None else wanted.passages
    return replace(
        card,
        name=wanted.called,
        sha256=sha256,
        quantisation=wanted.kind,
        licence=wanted.licence,
        passages=passages,
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


def _measured(wanted: Export, kind: str, steps: Steps, size: ComparisonSize) -> dict[str, Any]:
    """Compares the GGUF of a kind with the model. Raises UnfaithfulModel, naming the step."""
    texts = _written(wanted, steps, size)
    reference = steps.file(
        "reference.npz",
        _mark_of_reference(wanted, steps),
        lambda path: save_logits(
            path, reference_logits(wanted.model, [text.ids for text in texts])
        ),
    )
    name, gguf = f"parity_{kind}.json", steps.folder / f"{kind}.gguf"
    measured = steps.file(
        name,
        fingerprint(steps.made("reference.npz"), steps.made(gguf.name)),
        lambda path: _write_json(path, asdict(parity(gguf, texts, saved_logits(reference)))),
    )
    found = Parity(**json.loads(measured.read_text(encoding="utf-8")))
    if kind == "F16":
        check(found, QUANTISATIONS[kind].limits, step="convert")
    else:
        check(found, QUANTISATIONS[kind].limits.times(wanted.accepted), step=f"quantise to {kind}")
    return found.to_metrics()


def _written(wanted: Export, steps: Steps, size: ComparisonSize) -> Sequence[Continuation]:
    """The prompts with what the float16 GGUF writes after them."""
    budget = _budget(wanted)
    texts = prompts(wanted.model, wanted.examples, budget=budget, count=size.prompts)
    path = steps.file(
        "written.json",
        fingerprint(steps.made("F16.gguf"), *texts, size.tokens),
        lambda path: _write_json(
            path,
            [
                asdict(text)
                for text in continuations(
                    steps.folder / "F16.gguf", texts, wanted.model, tokens=size.tokens
                )
            ],
        ),
    )
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Continuation(tuple(row["ids"]), row["prompt_tokens"]) for row in rows]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _budget(wanted: Export) -> int:
    return prompt_budget(read_record(wanted.model))


def _check_resources(wanted: Export, steps: Steps, size: ComparisonSize) -> None:
    """Refuses before the first step what would fail in a later one."""
    check_disk(steps.folder, bytes_to_write(wanted, steps, size), step="export")
    logits = memory_to_compare(wanted.model, budget=_budget(wanted), size=size)
    check_memory(12 * TensorFolder(wanted.model).largest + logits, step="export")


def bytes_to_write(wanted: Export, steps: Steps, size: ComparisonSize) -> int:
    """What the steps will write that are not finished yet."""
    elements = TensorFolder(wanted.model).elements
    words = int(read_config_file(wanted.model).get("vocab_size", 0))
    logits = 4 * words * (_budget(wanted) + size.tokens) * size.prompts
    quantised = 0 if wanted.kind == "F16" else int(elements * QUANTISATIONS[wanted.kind].bits / 8)
    if not steps.has("F16.gguf", _mark(wanted)):
        return 2 * elements + quantised + logits
    if quantised and steps.has(f"{wanted.kind}.gguf", _mark_of_kind(wanted, steps)):
        quantised = 0
    written = (steps.folder / "written.json").is_file()
    if written and steps.has("reference.npz", _mark_of_reference(wanted, steps)):
        logits = 0
    return quantised + logits
