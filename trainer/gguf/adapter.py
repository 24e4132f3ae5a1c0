"""Exports an adapter alone, as a GGUF that llama.cpp puts onto a base that others share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
import numpy as np

from backend.domain.errors import BadInput, NotAGguf, UnusableModel
from backend.domain.model_card import ModelCard
from backend.system.files import sha256_of, whole_file, write_whole
from backend.system.resources import check_memory
from trainer.gguf.convert import SourceModel, source
from trainer.gguf.families import Array
from trainer.gguf.logits import reference_logits
from trainer.gguf.merge import Adapter, check_layers, merge, read_adapter
from trainer.gguf.model_card import card_of_export
from trainer.gguf.parity import (
    ComparisonSize,
    Parity,
    check,
    continuations,
    memory_to_compare,
    parity,
    prompts,
    usual_size,
)
from trainer.gguf.quantise import QUANTISATIONS
from trainer.record import Record, card_path, prompt_budget, read_record

KIND = "F32"


@dataclass(frozen=True)
class AdapterExport:
    """Which adapter is exported, of which base, where to, and onto which GGUF it will go."""

    base: Path
    adapter: Path
    out: Path
    onto: Path
    name: str = ""
    licence: str = ""
    comparison: ComparisonSize | None = None
    accepted: float = 1.0
    """How many times the usual limits of a quantised base may be exceeded; as in `Export`."""
    memory: int | None = None
    """Bytes of memory that the merged model may take to be compared; else half of the free."""

    def __post_init__(self) -> None:
        if self.out.suffix != ".gguf" or self.onto.suffix != ".gguf":
            raise BadInput(f"{self.out} and {self.onto} must end in .gguf.")

    @property
    def called(self) -> str:
        """The adapter's name."""
        return self.name or self.out.stem


def export_adapter(wanted: AdapterExport) -> ModelCard:
    """Writes the adapter's GGUF and its card, once it is proved on the base's GGUF.

    Raises UnfaithfulModel if base and adapter together do not compute what they compute in
    transformers; DiskFull or Unavailable if there is no room to compare them.
    """
    kind, record = _quantisation_of(wanted.onto), read_record(wanted.adapter)
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(wanted.out) as unfinished:
        write_lora(wanted.base, wanted.adapter, unfinished, name=wanted.called)
        found = _compared(wanted, unfinished, record)
        limits = QUANTISATIONS[kind].limits.times(wanted.accepted if kind != "F16" else 1.0)
        check(found, limits, step=f"export the adapter onto {kind}")
        card = _card(wanted, sha256_of(unfinished), found, record)
        write_whole(card_path(wanted.out), card.to_json())
    return card


def _card(wanted: AdapterExport, sha256: str, found: Parity, record: Record | None) -> ModelCard:
    metrics: dict[str, Any] = {"parity_on_base": found.to_metrics()}
    metrics["base_gguf_sha256"] = sha256_of(wanted.onto)
    if wanted.accepted != 1.0:
        metrics["accepted_times_the_limits"] = wanted.accepted
    return replace(
        card_of_export(wanted.base, record, metrics=metrics),
        name=wanted.called,
        sha256=sha256,
        quantisation=KIND,
        licence=wanted.licence,
    )


def _compared(wanted: AdapterExport, lora: Path, record: Record | None) -> Parity:
    """Compares with base and adapter merged, for what was merged is read also layer by layer."""
    budget = prompt_budget(record)
    size = wanted.comparison or usual_size(wanted.base)
    check_memory(memory_to_compare(wanted.base, budget=budget, size=size), step="export")
    texts = continuations(
        wanted.onto,
        prompts(wanted.base, budget=budget, count=size.prompts),
        wanted.base,
        tokens=size.tokens,
        lora=lora,
    )
    with TemporaryDirectory(dir=wanted.out.parent, prefix="merged-") as folder:
        whole = merge(base=wanted.base, adapter=wanted.adapter, out=Path(folder), into="original")
        reference = reference_logits(whole, [text.ids for text in texts], memory=wanted.memory)
        return parity(wanted.onto, texts, reference, lora=lora)


def write_lora(base: Path, adapter: Path, out: Path, *, name: str) -> None:
    """Writes the adapter's matrices. Where a layer's rows change places, so do those upwards."""
    model, changes = source(base), read_adapter(adapter)
    layers = frozenset(name.removesuffix(".weight") for name in model.weights.shapes)
    check_layers(changes, layers)
    with closing(gguf.GGUFWriter(out, model.family.gguf)) as writer:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_name(name)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, changes.scale * changes.rank)
        for tensor, values in _matrices(model, changes):
            writer.add_tensor(tensor, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()


def _matrices(model: SourceModel, changes: Adapter) -> Iterator[tuple[str, Array]]:
    for layer in changes.layers():
        pair = changes.pair(layer)
        if pair is None:
            continue
        down, up = (matrix.numpy() for matrix in pair)
        target = model.family.gguf_name(f"{layer}.weight")
        yield f"{target}.lora_a", np.ascontiguousarray(down)
        yield f"{target}.lora_b", model.family.in_order(layer, up, model.config)


def _quantisation_of(path: Path) -> str:
    """The quantisation a GGUF says it has. Raises UnusableModel if it is none of ours."""
    try:
        field = gguf.GGUFReader(path).fields.get("general.file_type")
    except (OSError, ValueError) as error:
        raise NotAGguf(f"{path} cannot be read as GGUF: {error}.") from error
    number = field.contents() if field else QUANTISATIONS["F16"].number
    for kind, known in QUANTISATIONS.items():
        if known.number == number:
            return kind
    raise UnusableModel(
        f"{path.name} has the file type {number}, for which it is unknown how far it may be from "
        f"its model. Quantise the base as {', '.join(QUANTISATIONS)}."
    )
