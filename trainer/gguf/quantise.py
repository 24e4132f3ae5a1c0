"""Makes a GGUF smaller, with llama.cpp's own quantiser; and keeps llama.cpp quiet."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp

from backend.domain.errors import BadSettings, UnusableModel
from backend.system.files import whole_file


@dataclass(frozen=True)
class ParityLimits:
    """How far a form of a model may be from the model it came from; KL in nats a token."""

    kl: float
    perplexity_change: float
    same_top: float = 0.0

    def times(self, factor: float) -> ParityLimits:
        """ParityLimits so many times as wide."""
        return ParityLimits(
            self.kl * factor, self.perplexity_change * factor, self.same_top / factor
        )


@dataclass(frozen=True)
class Quantisation:
    """A quantisation: llama.cpp's number, bits for a weight, and how far it may lead away."""

    number: int
    bits: float
    limits: ParityLimits


QUANTISATIONS = {
    "F16": Quantisation(
        llama_cpp.LLAMA_FTYPE_MOSTLY_F16, 16.0, ParityLimits(1e-4, 1e-3, same_top=0.99)
    ),
    "Q8_0": Quantisation(llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, 8.5, ParityLimits(3e-3, 0.01)),
    "Q6_K": Quantisation(llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K, 6.6, ParityLimits(1.2e-2, 0.02)),
    "Q5_K_M": Quantisation(llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M, 5.7, ParityLimits(2.2e-2, 0.03)),
    "Q4_K_M": Quantisation(llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, 4.9, ParityLimits(6.2e-2, 0.06)),
}
"""The limits are twice what llama.cpp's `tools/perplexity/README.md` tells of Llama 3 8B, which
suffers more than most: KL 0.0014, 0.0055, 0.011 and 0.031. Four trained models of some million
weights had 0.00004 to 0.0015 at Q8_0 and 0.0017 to 0.014 at Q4_K_M. Perplexity may change by about
twice its change there and one per cent more, for it is taken over some thousand tokens only.
Conversion to float16 only rounds: at most KL 9e-7, a perplexity changed by 8e-5 and 0.5 % of
other favourites were seen.
"""


_SAY_NOTHING: Any = llama_cpp.llama_log_callback(lambda level, text, data: None)


def quiet() -> None:
    """Stops llama.cpp from printing; what fails is still told by its return values."""
    llama_cpp.llama_log_set(_SAY_NOTHING, ctypes.c_void_p(0))


def check_quantisation(kind: str) -> None:
    """Raises BadSettings for a quantisation that does not exist here."""
    if kind not in QUANTISATIONS:
        raise BadSettings(
            f"There is no quantisation {kind!r}; there is {', '.join(QUANTISATIONS)}."
        )


def quantise(source: Path, out: Path, kind: str) -> None:
    """Writes the GGUF `source` to `out` in another quantisation. Raises UnusableModel."""
    check_quantisation(kind)
    quiet()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = QUANTISATIONS[kind].number
    with whole_file(out) as unfinished:
        result = llama_cpp.llama_model_quantize(
            str(source).encode(), str(unfinished).encode(), ctypes.byref(parameters)
        )
        if result != 0:
            raise UnusableModel(
                f"llama.cpp could not quantise {source.name} to {kind} (result {result}). "
                "Check the disk's free space and that the file is a float16 GGUF."
            )
