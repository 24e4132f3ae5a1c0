"""What the model itself computes, in transformers and float32, for texts of token ids.

One pass over a text tells what follows each of its tokens, so what the GGUF wrote is checked in
one pass too: if the model's favourite is the token written there at each place, the model alone
would have written the same text.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM

from backend.system.resources import free_memory
from trainer.gguf.tensor_files import TensorFolder

SIDE_BY_SIDE = 4
Logits = npt.NDArray[np.float32]


def reference_logits(
    model: Path, texts: Sequence[Sequence[int]], *, room: int | None = None
) -> Iterator[Logits]:
    """For each text the logits after each of its tokens, shape (tokens, vocabulary).

    A model of more than `room` bytes, or half of the free memory, is read from the disk layer by
    layer in each pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(model, offload=Path(folder), room=room)
        for start in range(0, len(texts), SIDE_BY_SIDE):
            yield from logits_of(loaded, texts[start : start + SIDE_BY_SIDE])


def load_model(model: Path, *, offload: Path, room: int | None = None) -> Any:
    """The model, ready to compute: in memory if it fits into `room` bytes or half of the free."""
    weights = TensorFolder(model)
    wanted: dict[str, Any] = {"dtype": torch.float32}
    if 4 * weights.elements > (free_memory() // 2 if room is None else room):
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
        for place, one in enumerate(logits):
            with archive.open(f"{place}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(one))


def saved_logits(path: Path) -> Iterator[Logits]:
    """The saved logits, one text's at a time."""
    with np.load(path) as archive:
        for place in range(len(archive.files)):
            yield archive[str(place)]
