"""Several processes that train one model together (FSDP with QLoRA), or one that trains alone.

`accelerate launch` and `torchrun` start the processes and say who is who in the environment.
Every layer's weights, the packed ones too, are then split among them (`fully_shard`): each
process keeps its part and collects the rest for the moment it is needed. All processes walk the
same steps with their shares of each batch, so losses and gradients are those of one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class ProcessGroup:
    """Who trains: `size` processes, of which this one has the number `rank`."""

    rank: int = 0
    size: int = 1
    mesh: DeviceMesh | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.rank == 0

    def split(self, model: Any) -> None:
        """Splits the weights of each layer of a transformer among the processes.

        What a layer collected is given up again after it: else all of the model would be in every
        process once the way back begins. Embeddings, norms and the output stay whole in each.
        """
        if self.mesh is not None:
            for layer in _layers(model):
                fully_shard(layer, mesh=self.mesh, reshard_after_forward=True)

    def share(self, rows: Sequence[Thing]) -> list[Thing]:
        """This process's part of rows that stand side by side; it may be empty."""
        return list(rows[self.rank :: self.size])

    def sum(self, value: float, *, device: torch.device) -> float:
        """The sum over all processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float32, device=device)
        dist.all_reduce(total)
        return float(total)

    def of_each(self, thing: Thing) -> list[Thing]:
        """The things of all processes, in their order."""
        if self.size == 1:
            return [thing]
        things: list[Any] = [None] * self.size
        dist.all_gather_object(things, thing)
        return things

    def of_leader(self, thing: Thing) -> Thing:
        """The leader's thing, in every process."""
        if self.size == 1:
            return thing
        things = [thing]
        dist.broadcast_object_list(things)
        return things[0]


ALONE = ProcessGroup()


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """The group this process was started in; it is left at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), size, init_device_mesh(kind, (size,)))
    finally:
        dist.destroy_process_group()


def whole(tree: Any) -> Any:
    """The tree with every split tensor put together; all processes have to call it."""
    if isinstance(tree, DTensor):
        return tree.full_tensor()
    if isinstance(tree, Mapping):
        return {key: whole(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [whole(value) for value in tree]
    return tree


def split_like(tensor: torch.Tensor, example: torch.Tensor) -> torch.Tensor:
    """The tensor split as `example` is; as it was where that is whole."""
    if not isinstance(example, DTensor):
        return tensor
    placed = tensor.to(example.device)
    return distribute_tensor(placed, example.device_mesh, example.placements)


def _layers(model: Any) -> Sequence[Any]:
    """The transformer's layers: the one long list of modules in it."""
    lists = (list(module) for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    return max(lists, key=len)
