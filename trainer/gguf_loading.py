"""Loads a GGUF in llama.cpp, on the CPU, to look at its logits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import llama_cpp

from backend.domain.errors import UnusableModel
from trainer.lora_loading import loaded_lora
from trainer.quantise import quiet

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
    threads = 1 if gguf.stat().st_size < _SMALL else os.cpu_count() or 1
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
