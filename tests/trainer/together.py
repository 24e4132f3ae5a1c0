"""What one of several processes does in tests: trains for a while and tells what it saw.

The leader writes `told.json` and the weights that won, `won.pt`, into the folder. The last epochs
teach nonsense, so the last weights are not those.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import AutoTokenizer

from tests.trainer.tiny import LOOP, SETTINGS
from trainer.data.prepare import read_examples
from trainer.tuning import checkpoints
from trainer.tuning.batches import TokenRow, batch, example_row
from trainer.tuning.distributed import ProcessGroup, joined
from trainer.tuning.loop import TrainingTask, optimise
from trainer.tuning.optimiser import answer_loss
from trainer.tuning.quantised_base import load_in_four_bits, with_adapter

SENSIBLE_EPOCHS = 3
MINUTES = 0.005
"""Between two checkpoints: some steps, and about what the leader takes to write one."""


def train_awhile(base: Path, examples: Path, out: Path) -> None:
    """Counts what is whole in a process, then trains with a leader that is slow to write."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = [example_row(example, tokenizer, budget=300) for example in read_examples(examples)[:12]]
    with joined() as group:
        model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
        group.split(model)
        whole = {"before": _whole(model), **_whole_after(model, rows)}
        kept = 0

        def slowly(_: Path) -> None:
            nonlocal kept
            kept += 1
            time.sleep(0.2)

        loop = replace(LOOP, epochs=6, checkpoint_minutes=MINUTES)
        nonsense = [replace(row, ids=row.ids[::-1]) for row in rows]

        def of_epoch(epoch: int) -> list[TokenRow]:
            return rows if epoch < SENSIBLE_EPOCHS else nonsense

        task = TrainingTask(model, of_epoch, rows[:3], fingerprint="one", group=group, kept=slowly)
        history = optimise(task, loop, folder=out)
        _tell({"whole": whole, "kept": kept, **asdict(history)}, model, group, out)


def _tell(told: dict[str, Any], model: Any, group: ProcessGroup, out: Path) -> None:
    won = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    checkpoints.save(won, out / "won.pt", group=group)
    if group.leads:
        (out / "told.json").write_text(json.dumps(told), encoding="utf-8")


def _whole_after(model: Any, rows: list[TokenRow]) -> dict[str, int]:
    """After measuring, and before the way back in training."""
    model.eval()
    with torch.no_grad():
        answer_loss(model, batch(rows[:2]))
    measured = _whole(model)
    model.train()
    loss = answer_loss(model, batch(rows[:2]))
    found = {"measured": measured, "trained": _whole(model)}
    loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
    model.zero_grad()
    return found


def _whole(model: Any) -> int:
    """Bytes of the layers that are not split just now."""
    return sum(
        weight.numel() * weight.element_size()
        for weight in model.base_model.layers.parameters()
        if not isinstance(weight, DTensor)
    )
