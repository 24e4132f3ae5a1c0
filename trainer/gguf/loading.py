"""Loads a GGUF in llama.cpp, on the CPU, to look at its logits.

Puts a LoRA in GGUF onto a model that llama.cpp has loaded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import llama_cpp

from backend.domain.errors import UnusableModel
from backend.system.resources import cores
from trainer.gguf.quantise import quiet

_SMALL = 64_000_000
"""Bytes of a model up to which threads wait for each other longer than they compute."""


@contextmanager
def opened(
    gguf: Path,
    *,
    context: int,
    lora: Path | None = None,
    logits: Literal["all", "last"] = "all",
) -> Iterator[Any]:
    """The GGUF, which keeps the logits of all tokens, or as in serving of the last one only.

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
