"""Loads a model, in transformers or as a GGUF in llama.cpp, to look at the logits it computes."""

from __future__ import annotations

import ctypes
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import llama_cpp
import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM

from backend.domain.errors import UnusableModel
from backend.system.resources import cores, free_memory
from trainer.gguf.quantise import quiet
from trainer.tensor_files import TensorFolder

SIDE_BY_SIDE = 4
Logits = npt.NDArray[np.float32]
_SMALL = 64_000_000
"""Bytes of a model up to which threads wait for each other longer than they compute."""


def reference_logits(
    model: Path, texts: Sequence[Sequence[int]], *, memory: int | None = None
) -> Iterator[Logits]:
    """For each text the logits after each of its tokens in float32, shape (tokens, vocabulary).

    One pass over a text tells what follows each of its tokens, so what the GGUF wrote is checked
    in one pass too: if the model's favourite is the token written there at each place, the model
    alone would have written the same text. A model of more than `memory` bytes, or half of what is
    free, is read from the disk layer by layer in each pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(model, offload=Path(folder), memory=memory)
        for start in range(0, len(texts), SIDE_BY_SIDE):
            yield from logits_of(loaded, texts[start : start + SIDE_BY_SIDE])


def load_model(model: Path, *, offload: Path, memory: int | None = None) -> Any:
    """The model, ready to compute: in memory if it fits into `memory` bytes or half of the free."""
    weights = TensorFolder(model)
    wanted: dict[str, Any] = {"dtype": torch.float32}
    if 4 * weights.elements > (free_memory() // 2 if memory is None else memory):
        wanted |= {"device_map": {"": "disk"}, "offload_folder": str(offload)}
    loaded: Any = AutoModelForCausalLM.from_pretrained(model, **wanted)
    return loaded.eval()


def logits_of(model: Any, texts: Sequence[Sequence[int]]) -> Iterator[Logits]:
    """The logits of texts that are computed side by side.

    What fills up the shorter ones stands at their end, where no token can attend to it.
    """
    longest = max(len(text) for text in texts)
    ids = torch.zeros((len(texts), longest), dtype=torch.long)
    for place, text in enumerate(texts):
        ids[place, : len(text)] = torch.tensor(text)
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits
    for place, text in enumerate(texts):
        yield logits[place, : len(text)].float().numpy()


def save_logits(path: Path, logits: Iterator[Logits]) -> None:
    """Writes the logits as they come into one file that `saved_logits` reads."""
    with zipfile.ZipFile(path, "w") as archive:
        for place, array in enumerate(logits):
            with archive.open(f"{place}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array))


def saved_logits(path: Path) -> Iterator[Logits]:
    """The saved logits, one text's at a time."""
    with np.load(path) as archive:
        for place in range(len(archive.files)):
            yield archive[str(place)]


@contextmanager
def opened(
    gguf: Path,
    *,
    context: int,
    lora: Path | None = None,
    logits: Literal["all", "last"] = "all",
) -> Iterator[Any]:
    """The GGUF in llama.cpp on the CPU, with the logits of all tokens, or as served of the last.

    Raises UnusableModel if llama.cpp cannot load it.
    """
    quiet()
    threads = 1 if gguf.stat().st_size < _SMALL else cores()
    try:
        model = llama_cpp.Llama(
            str(gguf),
            n_ctx=context,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=0,
            logits_all=logits == "all",
            verbose=False,
        )
    except ValueError as error:
        raise UnusableModel(f"llama.cpp cannot load {gguf.name}: {error}.") from error
    with closing(model), loaded_lora(model, lora):
        yield model


@contextmanager
def loaded_lora(model: Any, lora: Path | None) -> Iterator[None]:
    """While this lasts, the model computes with the LoRA; without one nothing changes.

    Raises UnusableModel if llama.cpp cannot put the two together.
    """
    if lora is None:
        yield
        return
    adapter = llama_cpp.llama_adapter_lora_init(model._model.model, str(lora).encode())
    if not adapter:
        raise UnusableModel(f"llama.cpp cannot put {lora.name} onto this model: is it its base?")
    adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter)
    scales = (ctypes.c_float * 1)(1.0)
    llama_cpp.llama_set_adapters_lora(model._ctx.ctx, adapters, 1, scales)
    try:
        yield
    finally:
        llama_cpp.llama_set_adapters_lora(model._ctx.ctx, None, 0, None)
        llama_cpp.llama_adapter_lora_free(adapter)
