"""Exports an adapter alone, as a GGUF that llama.cpp puts onto a base that others share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
import numpy as np
from peft import PeftModel

from backend.cleaning.files import sha256_of
from backend.domain.errors import BadInput
from backend.domain.model_card import ModelCard
from trainer.adapter import Adapter, check_layers, read_adapter
from trainer.cards import card_of_export
from trainer.families.family import Array
from trainer.gguf_file import Source, source
from trainer.parity import Extent, check, parity, prompts, usual_extent, written
from trainer.quantise import KINDS
from trainer.record import read_record
from trainer.reference import SIDE_BY_SIDE, Logits, load_model, logits_of

KIND = "F32"
DEFAULT_PROMPT_TOKENS = 700


@dataclass(frozen=True)
class AdapterExport:
    """Which adapter is exported, of which base, where to, and onto which GGUF it will go."""

    base: Path
    adapter: Path
    out: Path
    onto: Path
    name: str = ""
    licence: str = ""
    extent: Extent | None = None

    def __post_init__(self) -> None:
        if self.out.suffix != ".gguf" or self.onto.suffix != ".gguf":
            raise BadInput(f"{self.out} and {self.onto} must end in .gguf.")


def export_adapter(wanted: AdapterExport) -> ModelCard:
    """Writes the adapter's GGUF and its card, once it is proved on the base's GGUF.

    Raises UnfaithfulModel if base and adapter together do not compute what they compute in
    transformers.
    """
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = wanted.out.with_suffix(".unfinished")
    write_lora(wanted.base, wanted.adapter, unfinished, name=wanted.name or wanted.out.stem)
    record = read_record(wanted.adapter)
    budget = record.prompt_tokens if record else DEFAULT_PROMPT_TOKENS
    extent = wanted.extent or usual_extent(wanted.base)
    texts = written(
        wanted.onto,
        prompts(wanted.base, budget=budget, count=extent.prompts),
        wanted.base,
        tokens=extent.tokens,
        lora=unfinished,
    )
    reference = _reference(wanted, [one.ids for one in texts])
    found = parity(wanted.onto, texts, reference, lora=unfinished)
    kind = _kind_of(wanted.onto)
    check(found, largest_kl=KINDS[kind].largest_kl, step=f"export the adapter onto {kind}")
    unfinished.replace(wanted.out)
    metrics = {"parity_on_base": found.to_metrics(), "base_gguf_sha256": sha256_of(wanted.onto)}
    card = replace(
        card_of_export(wanted.base, record, metrics=metrics),
        name=wanted.name or wanted.out.stem,
        sha256=sha256_of(wanted.out),
        quantisation=KIND,
        licence=wanted.licence,
    )
    wanted.out.with_suffix(".model_card.json").write_text(card.to_json(), encoding="utf-8")
    return card


def write_lora(base: Path, adapter: Path, out: Path, *, name: str) -> None:
    """Writes the adapter's matrices. Where a layer's rows change places, so do those upwards."""
    model, changes = source(base), read_adapter(adapter)
    layers = frozenset(one.removesuffix(".weight") for one in model.weights.shapes)
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


def _matrices(model: Source, changes: Adapter) -> Iterator[tuple[str, Array]]:
    for layer in changes.layers():
        pair = changes.pair(layer)
        if pair is None:
            continue
        down, up = (one.numpy() for one in pair)
        target = model.family.gguf_name(f"{layer}.weight")
        yield f"{target}.lora_a", np.ascontiguousarray(down)
        yield f"{target}.lora_b", model.family.in_order(layer, up, model.config)


def _reference(wanted: AdapterExport, texts: list[tuple[int, ...]]) -> Iterator[Logits]:
    with TemporaryDirectory() as folder:
        base: Any = load_model(wanted.base, offload=Path(folder))
        with warnings.catch_warnings():  # peft 0.21 asks for a name that transformers 5 renamed
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            tuned = PeftModel.from_pretrained(base, wanted.adapter).eval()
        for start in range(0, len(texts), SIDE_BY_SIDE):
            yield from logits_of(tuned, texts[start : start + SIDE_BY_SIDE])


def _kind_of(path: Path) -> str:
    """The quantisation a GGUF says it has, as far as it is one of ours."""
    field = gguf.GGUFReader(path).fields.get("general.file_type")
    number = field.contents() if field else KINDS["F16"].number
    return next((kind for kind, one in KINDS.items() if one.number == number), "Q4_K_M")
