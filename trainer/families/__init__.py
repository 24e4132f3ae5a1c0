"""The families of models that can be written as GGUF: one module each, a table of names."""

from __future__ import annotations

from backend.domain.errors import UnusableModel
from trainer.families.family import Config, Family
from trainer.families.gptj import GPTJ
from trainer.families.llama import LLAMA
from trainer.families.mistral import MISTRAL
from trainer.families.qwen import QWEN2, QWEN3

FAMILIES = {one.architecture: one for one in (LLAMA, MISTRAL, QWEN2, QWEN3, GPTJ)}


def family_of(config: Config) -> Family:
    """The family of a model's config. Raises UnusableModel for one that is not known here."""
    architecture = (config.get("architectures") or ["none"])[0]
    if architecture not in FAMILIES:
        raise UnusableModel(
            f"The architecture {architecture} cannot be written as GGUF here; "
            f"{', '.join(FAMILIES)} can. llama.cpp's own converter may know it: "
            "`export --converter PATH/convert_hf_to_gguf.py`."
        )
    return FAMILIES[architecture]
