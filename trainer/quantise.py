"""Makes a GGUF smaller, with llama.cpp's own quantiser; and keeps llama.cpp quiet."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp

from backend.domain.errors import BadSettings, UnusableModel


@dataclass(frozen=True)
class Kind:
    """A quantisation: llama.cpp's number, bits for a weight, and how far it may lead away.

    `largest_kl` is about a hundred times what was measured on tiny trained models, since random
    and tiny weights suffer more than large ones.
    """

    number: int
    bits: float
    largest_kl: float


KINDS = {
    "F16": Kind(llama_cpp.LLAMA_FTYPE_MOSTLY_F16, 16.0, 1e-4),
    "Q8_0": Kind(llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, 8.5, 1e-2),
    "Q6_K": Kind(llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K, 6.6, 5e-2),
    "Q5_K_M": Kind(llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M, 5.7, 1e-1),
    "Q4_K_M": Kind(llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, 4.9, 3e-1),
}


_SAY_NOTHING: Any = llama_cpp.llama_log_callback(lambda level, text, data: None)


def quiet() -> None:
    """Stops llama.cpp from printing; what fails is still told by its return values."""
    llama_cpp.llama_log_set(_SAY_NOTHING, ctypes.c_void_p(0))


def check_kind(kind: str) -> None:
    """Raises BadSettings for a quantisation that does not exist here."""
    if kind not in KINDS:
        raise BadSettings(f"There is no quantisation {kind!r}; there is {', '.join(KINDS)}.")


def quantise(source: Path, out: Path, kind: str) -> None:
    """Writes the GGUF `source` to `out` in another quantisation. Raises UnusableModel."""
    check_kind(kind)
    quiet()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = KINDS[kind].number
    unfinished = out.with_suffix(".unfinished")
    result = llama_cpp.llama_model_quantize(
        str(source).encode(), str(unfinished).encode(), ctypes.byref(parameters)
    )
    if result != 0:
        unfinished.unlink(missing_ok=True)
        raise UnusableModel(
            f"llama.cpp could not quantise {source.name} to {kind} (result {result}). "
            "Check the disk's free space and that the file is a float16 GGUF."
        )
    unfinished.replace(out)
