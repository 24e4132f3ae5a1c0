"""What becomes of a run whose numbers are none, or whose memory is full in its middle."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from backend.domain.errors import BadSettings, TooLittleMemory
from tests.trainer.tiny import LOOP, SETTINGS
from trainer.data.prepare import read_examples
from trainer.tuning.batches import TokenRow, example_row
from trainer.tuning.loop import History, TrainingTask, optimise
from trainer.tuning.quantised_base import load_in_four_bits, with_adapter

HALF = replace(LOOP, compute="float16")


@pytest.fixture
def rows(examples: Path, base: Path) -> list[TokenRow]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    return [example_row(example, tokenizer, budget=300) for example in read_examples(examples)[:12]]


@pytest.fixture
def model(base: Path) -> Any:
    return with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()


def _task(model: Any, rows: list[TokenRow], *, measured: bool = False) -> TrainingTask:
    return TrainingTask(model, lambda _: rows, rows[:3] if measured else (), fingerprint="one")


def _an_adapter(model: Any) -> Any:
    return next(weight for weight in model.parameters() if weight.requires_grad)


@pytest.mark.parametrize(
    ("measured", "said"), [(True, "validation loss at step 0"), (False, "loss of step 1")]
)
def test_a_loss_that_is_no_number_ends_the_run(
    model: Any, rows: list[TokenRow], tmp_path: Path, measured: bool, said: str
) -> None:
    with torch.no_grad():
        _an_adapter(model).fill_(math.inf)

    with pytest.raises(BadSettings, match=rf"The {said} is no number.*compute bfloat16"):
        optimise(_task(model, rows, measured=measured), HALF, folder=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_gradients_that_are_no_numbers_end_the_run_before_a_checkpoint(
    model: Any, rows: list[TokenRow], tmp_path: Path
) -> None:
    _an_adapter(model).register_hook(lambda gradient: gradient * math.inf)
    loop = replace(LOOP, checkpoint_minutes=0.0)

    with pytest.raises(BadSettings, match=r"last 1 steps.*lower --learning-rate than 0\.005"):
        optimise(_task(model, rows), loop, folder=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_step_that_float16_skips_is_normal_but_not_twenty_in_a_row(
    model: Any, rows: list[TokenRow], tmp_path: Path
) -> None:
    wrong = {2, 3}
    steps = 0

    def overflowing(gradient: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        steps += 1
        return gradient * math.inf if steps in wrong else gradient

    _an_adapter(model).register_hook(overflowing)
    history: History = optimise(_task(model, rows), HALF, folder=tmp_path / "some")

    gradients = [step["gradient"] for step in history.steps]
    assert [place for place, gradient in enumerate(gradients, start=1) if gradient is None] == [
        2,
        3,
    ]
    json.dumps(history.steps, allow_nan=False)
    wrong |= set(range(1000))
    with pytest.raises(BadSettings, match="last 21 steps, to step 21,"):
        optimise(_task(model, rows), replace(HALF, epochs=9), folder=tmp_path / "all")


def test_a_full_memory_halves_the_rows_at_once(
    model: Any, rows: list[TokenRow], base: Path, tmp_path: Path
) -> None:
    expected = optimise(_task(model, rows), LOOP, folder=tmp_path / "whole")
    other = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
    sizes: list[int] = []

    def full(_: Any, arguments: Any, given: dict[str, torch.Tensor]) -> None:
        sizes.append(len(given["input_ids"]))
        if len(sizes) == 4 or (len(sizes) > 4 and sizes[-1] > 1):
            raise torch.OutOfMemoryError

    other.base_model.register_forward_pre_hook(full, with_kwargs=True)
    history = optimise(_task(other, rows), LOOP, folder=tmp_path / "full")

    assert sizes == [4, 4, 4, 4, 2] + 12 * [1]
    losses, whole = ([step["loss"] for step in made.steps] for made in (history, expected))
    assert losses == pytest.approx(whole, rel=1e-4)


def test_a_memory_without_room_for_one_row_ends_the_run(
    model: Any, rows: list[TokenRow], tmp_path: Path
) -> None:
    def full(_: Any, arguments: Any, given: Any) -> None:
        raise torch.OutOfMemoryError

    model.base_model.register_forward_pre_hook(full, with_kwargs=True)

    with pytest.raises(TooLittleMemory, match="1 rows at once did not fit after step 0"):
        optimise(_task(model, rows), LOOP, folder=tmp_path)
