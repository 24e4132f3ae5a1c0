"""The loss on answers, in the precision that the settings ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from trainer.group import ALONE, Group
from trainer.rows import IGNORED, Batch, Row, batch
from trainer.settings import LoopSettings


def answer_loss(model: Any, one: Batch) -> torch.Tensor:
    """Summed cross-entropy of the targets.

    Logits are computed only where a target follows: with a prompt of four fifths of the row,
    that saves four fifths of the largest matrix of a small model.
    """
    labels = one.labels[:, 1:]
    chosen = labels != IGNORED
    hidden = model.base_model(input_ids=one.ids, use_cache=False).last_hidden_state
    logits = model.get_output_embeddings()(hidden[:, :-1][chosen])
    return cross_entropy(logits.float(), labels[chosen], reduction="sum")


def mean_loss(
    model: Any,
    rows: Sequence[Row],
    settings: LoopSettings,
    *,
    at_once: int,
    group: Group = ALONE,
) -> float:
    """Cross-entropy per target over all rows, in nats; `at_once` rows side by side.

    What was found is read at the end, so that the GPU need not wait for the CPU in between.
    """
    model.eval()
    with torch.no_grad(), precision(model, settings):
        found = [
            answer_loss(model, on_device(part, model))
            for part in parts(rows, at_once=at_once, group=group)
        ]
    total = group.sum(sum(torch.stack(found).tolist()), device=model.device)
    return total / sum(one.targets for one in rows)


def parts(rows: Sequence[Row], *, at_once: int, group: Group) -> Iterator[Batch]:
    """The rows as batches of about equal length, `at_once` for each process.

    All processes get as many batches, since they wait for each other in every one: where rows
    do not go round, a process gets one without targets.
    """
    near = sorted(rows, key=lambda one: len(one.ids))
    size = at_once * group.size
    for start in range(0, len(near), size):
        chosen = near[start : start + size]
        mine = group.share(chosen)
        yield batch(mine) if mine else batch([Row(chosen[0].ids, len(chosen[0].ids))])


def precision(model: Any, settings: LoopSettings) -> torch.autocast:
    """Mixed precision as the settings say; none for float32."""
    dtype = getattr(torch, settings.compute)
    mixed = dtype != torch.float32
    return torch.autocast(
        model.device.type, dtype=dtype if mixed else torch.bfloat16, enabled=mixed
    )


def on_device(one: Batch, model: Any) -> Batch:
    """The batch where the model is."""
    return Batch(one.ids.to(model.device), one.labels.to(model.device))
