"""What a training can go on from: weights, optimiser, chance, history, in one file.

A file is written beside the old one and takes its place when it is whole, so a kill at any
moment leaves one that can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from backend.domain.errors import BadSettings
from trainer.group import ALONE, Group, split_like, whole

CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"
Weights = Mapping[str, torch.Tensor]


def save(state: Mapping[str, Any], path: Path, *, group: Group = ALONE) -> None:
    """Writes the state to `path`, all of it or nothing. All processes of a group call it."""
    together = whole(state)
    if group.leads:
        unfinished = path.with_suffix(".unfinished")
        torch.save(together, unfinished)
        unfinished.replace(path)


def read(path: Path, *, fingerprint: str) -> dict[str, Any] | None:
    """The state in a file, on the CPU; None if there is no file.

    Raises BadSettings if it is of a run with other data or settings.
    """
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if state["fingerprint"] != fingerprint:
        raise BadSettings(
            f"{path} is of a run with other data or settings. Give the same ones "
            "to go on with it, choose another folder, or remove the file to start anew."
        )
    return state


def put(weights: Weights, into: Mapping[str, torch.nn.Parameter]) -> None:
    """Copies saved weights into the parameters of the same names."""
    with torch.no_grad():
        for name, weight in into.items():
            weight.copy_(split_like(weights[name], weight))


def forget(folder: Path) -> None:
    """Removes what a run that has ended well no longer needs."""
    for name in (CHECKPOINT, BEST):
        (folder / name).unlink(missing_ok=True)


def chance_state() -> dict[str, Any]:
    """Where torch's random numbers are, on the CPU and on each GPU."""
    return {"cpu": torch.get_rng_state(), "gpu": torch.cuda.get_rng_state_all()}


def restore_chance(state: Mapping[str, Any]) -> None:
    """Goes on with the random numbers from there."""
    torch.set_rng_state(state["cpu"])
    if len(state["gpu"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpu"])
