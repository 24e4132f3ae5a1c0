"""What a training can go on from: weights, the best so far, optimiser, chance, history.

All of one moment is in one file. It is written beside the old one and takes its place when it is
whole, so a kill at any moment leaves one that can be read.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from backend.domain.errors import BadSettings
from backend.system.files import whole_file
from trainer.record import CHECKPOINT
from trainer.tuning.distributed import ALONE, ProcessGroup, split_like, whole

BEST_BEFORE = "best.pt"
"""Where the best weights were kept before they were part of the checkpoint."""
Weights = Mapping[str, torch.Tensor]


def save(state: Mapping[str, Any], path: Path, *, group: ProcessGroup = ALONE) -> None:
    """Writes the state to `path`, all of it or nothing. All processes of a group call it."""
    together = whole(state)
    if group.leads:
        with whole_file(path) as unfinished:
            torch.save(together, unfinished)


def read(folder: Path, *, fingerprint: str, group: ProcessGroup = ALONE) -> dict[str, Any] | None:
    """The state in a folder's checkpoint, on the CPU; None if there is none.

    Only the leader reads, for the others may run on machines that have no such file; all have to
    call it. Raises BadSettings if it is of a run with other data or settings.
    """
    state = _state(folder / CHECKPOINT, fingerprint) if group.leads else None
    if state and "best" not in state:
        state["best"] = _best_before(folder, fingerprint, state)
    return group.of_leader(state)


def _best_before(folder: Path, fingerprint: str, state: Mapping[str, Any]) -> Weights:
    found = _state(folder / BEST_BEFORE, fingerprint)
    if found is None and state["history"]["validation"]:
        raise BadSettings(
            f"{folder / CHECKPOINT} has come without its {BEST_BEFORE}, where the best weights "
            "are. Put that beside it, or remove the checkpoint to start anew."
        )
    return found["weights"] if found else {}


def _state(path: Path, fingerprint: str) -> dict[str, Any] | None:
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if state["fingerprint"] != fingerprint:
        raise BadSettings(
            f"{path} is of a run with other data or settings. Give the same ones "
            "to go on with it, choose another folder, or remove the file to start anew."
        )
    return state


def taken(weights: Weights) -> dict[str, torch.Tensor]:
    """A copy of the weights on the CPU, put together. All processes of a group call it."""
    return {name: whole(weight.detach()).to("cpu", copy=True) for name, weight in weights.items()}


def put(weights: Weights, into: Mapping[str, torch.nn.Parameter]) -> None:
    """Copies saved weights into the parameters of the same names."""
    with torch.no_grad():
        for name, weight in into.items():
            weight.copy_(split_like(weights[name], weight))


def forget(folder: Path) -> None:
    """Removes what a run that has ended well no longer needs."""
    for name in (CHECKPOINT, BEST_BEFORE):
        (folder / name).unlink(missing_ok=True)


def chance_state() -> dict[str, Any]:
    """Where torch's random numbers are, on the CPU and on each GPU."""
    return {"cpu": torch.get_rng_state(), "gpu": torch.cuda.get_rng_state_all()}


def restore_chances(states: Sequence[Mapping[str, Any]], *, rank: int, seed: str) -> None:
    """Goes on with this process's numbers, or with new ones if it had no part in the run before.

    New ones depend on `seed` and the process only.
    """
    if rank < len(states):
        restore_chance(states[rank])
    else:
        torch.manual_seed(random.Random(f"{seed}:{rank}").getrandbits(32))  # noqa: S311


def restore_chance(state: Mapping[str, Any]) -> None:
    """Goes on with the random numbers from there."""
    torch.set_rng_state(state["cpu"])
    if len(state["gpu"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpu"])
