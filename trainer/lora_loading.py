"""Puts a LoRA in GGUF onto a model that llama.cpp has loaded."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp

from backend.domain.errors import UnusableModel


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
