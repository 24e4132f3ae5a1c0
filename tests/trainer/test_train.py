"""QLoRA on a tiny base, with the real bitsandbytes and peft."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from backend.domain.errors import BadSettings, UnusableModel
from backend.domain.example import Example
from tests.trainer.tiny import LOOP, SETTINGS
from trainer.data.prepare import read_examples
from trainer.record import read_record
from trainer.tuning.batches import (
    IGNORED,
    TokenRow,
    batch,
    batches,
    by_split,
    epochs,
    example_row,
    fitting,
    opening,
)
from trainer.tuning.loop import History, TrainingTask, optimise
from trainer.tuning.optimiser import answer_loss, mean_loss
from trainer.tuning.quantised_base import load_in_four_bits, packed_layers, with_adapter
from trainer.tuning.settings import TrainingSettings, preset_named
from trainer.tuning.train import train


@pytest.fixture
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base)


@pytest.fixture
def rows(examples: Path, tokenizer: Any) -> list[TokenRow]:
    return [example_row(example, tokenizer, budget=300) for example in read_examples(examples)[:12]]


def test_only_the_answer_and_its_end_are_targets(tokenizer: Any) -> None:
    example = Example(question="Where is it?", answer="In the menu.", source="ticket:1")

    made = example_row(example, tokenizer, budget=300)

    assert tokenizer.decode(made.ids[made.answer_from :]) == "In the menu.<|im_end|>"
    assert tokenizer.decode(made.ids[: made.answer_from]).endswith("<|im_start|>assistant\n")
    labels = batch([made]).labels[0]
    assert (labels != IGNORED).sum() == made.targets == len(made.ids) - made.answer_from


def test_an_opening_teaches_how_to_begin_but_not_to_stop(tokenizer: Any) -> None:
    example = Example(question="Where is it?", answer="In the menu, " * 9, source="ticket:1")
    whole = example_row(example, tokenizer, budget=300)

    made = opening(whole, 5)

    assert made.targets == 5
    assert made.ids == whole.ids[: whole.answer_from + 5]
    assert opening(whole, 5_000) == whole


def test_an_example_that_is_not_varied_is_not_tokenised_again(
    examples: Path, tokenizer: Any
) -> None:
    training = fitting(by_split(read_examples(examples))["train"], tokenizer, SETTINGS)

    again = epochs(training, None, SETTINGS)(1)

    assert again == list(training.rows)
    settings = replace(SETTINGS, wording_share=1.0)
    assert epochs(training, tokenizer, settings)(1) != list(training.rows)


def test_a_template_that_never_ends_a_turn_is_refused(tokenizer: Any) -> None:
    example = Example(question="Where is it?", answer="In the menu.", source="ticket:1")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"

    with pytest.raises(UnusableModel, match="never learn to stop"):
        example_row(example, tokenizer, budget=300)


def test_padding_and_neighbours_do_not_change_the_loss(base: Path, rows: list[TokenRow]) -> None:
    model = load_in_four_bits(base, SETTINGS).eval()

    with torch.no_grad():
        alone = sum(answer_loss(model, batch([row])) for row in rows)
        together = answer_loss(model, batch(rows))

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)


def test_few_lengths_are_met_and_each_row_fits() -> None:
    """For each new length the CPU's kernels are made anew and kept in memory."""
    rows = [TokenRow(tuple(range(length)), 2) for length in range(3, 303)]

    lengths = {batch([row]).ids.shape[1] for row in rows}

    assert len(lengths) == 19
    assert all(0 <= batch([row]).ids.shape[1] - len(row.ids) < 16 for row in rows)


def test_batches_hold_every_row_once_with_little_padding() -> None:
    chance = random.Random(1)
    rows = [TokenRow(tuple(range(chance.randint(5, 300))), 2) for _ in range(203)]

    made = batches(rows, size=8, chance=random.Random(2))

    assert sorted(len(row.ids) for rows in made for row in rows) == sorted(
        len(row.ids) for row in rows
    )
    padded = sum(len(rows) * max(len(row.ids) for row in rows) for rows in made)
    assert padded < 1.15 * sum(len(row.ids) for row in rows)


def test_the_base_is_packed_and_only_the_adapter_can_be_trained(base: Path) -> None:
    model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()

    layers = dict(model.named_modules())
    for name in packed_layers(base):
        assert layers[name].base_layer.weight.quant_type == "nf4"
        assert layers[name].base_layer.weight.quant_state.nested
    trainable = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert trainable
    assert all(".lora_" in name for name in trainable)


def test_measuring_first_does_not_change_the_gradients(base: Path, rows: list[TokenRow]) -> None:
    """Without `keep_unpacked` they are wrong after one evaluation on some processors."""
    gradients = []
    for measure_first in (False, True):
        model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
        trainable = [weight for weight in model.parameters() if weight.requires_grad]
        with torch.no_grad():
            for weight in trainable:
                weight.fill_(0.01)
        if measure_first:
            mean_loss(model, rows, LOOP, at_once=4)
        model.train()
        answer_loss(model, batch(rows)).backward()  # type: ignore[no-untyped-call,unused-ignore]
        gradients.append(torch.cat([name.grad.flatten() for name in trainable]))

    torch.testing.assert_close(gradients[0], gradients[1])


def test_training_lowers_the_loss_on_rows_never_trained_on(adapter: Path) -> None:
    record = read_record(adapter)

    assert record is not None
    losses = [measurement["loss"] for measurement in record.history["validation"]]
    assert losses[-1] < losses[0] - 0.1
    assert record.prompt_format == "suggest-answer/1"
    assert not (adapter / "checkpoint.pt").exists()


def test_a_finished_training_is_not_done_again(adapter: Path, base: Path, examples: Path) -> None:
    before = (adapter / "adapter_model.safetensors").stat().st_mtime_ns

    train(base=base, examples=examples, out=adapter, settings=SETTINGS)

    assert (adapter / "adapter_model.safetensors").stat().st_mtime_ns == before


class Killed(BaseException):
    pass


def _run(base: Path, rows: list[TokenRow], folder: Path, killed_in: int = -1) -> History:
    settings = replace(LOOP, epochs=3, batch_rows=2, checkpoint_minutes=0.0)
    model = with_adapter(load_in_four_bits(base, SETTINGS), replace(SETTINGS, dropout=0.1))

    def of_epoch(epoch: int) -> list[TokenRow]:
        if epoch == killed_in:
            raise Killed
        return rows

    task = TrainingTask(model.get_base_model(), of_epoch, rows[:2], fingerprint="one")
    return optimise(task, settings, folder=folder)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    whole = _run(base, rows, tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(Killed):
            _run(base, rows, tmp_path / "killed", killed_in=epoch)
    resumed = _run(base, rows, tmp_path / "killed")

    assert [step["step"] for step in resumed.steps] == list(range(1, 19))
    for step, other in zip(whole.steps, resumed.steps, strict=True):
        assert step["loss"] == pytest.approx(other["loss"], abs=1e-5)
    assert resumed.validation[-1]["loss"] == pytest.approx(whole.validation[-1]["loss"], abs=1e-5)


def test_a_checkpoint_of_another_run_is_refused(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        _run(base, rows, tmp_path, killed_in=1)
    model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
    other = TrainingTask(model, lambda epoch: rows, (), fingerprint="two")

    with pytest.raises(BadSettings, match="other data or settings"):
        optimise(other, LOOP, folder=tmp_path)


def test_presets_can_be_changed_but_not_misspelt() -> None:
    changed = preset_named("cpu-tiny", epochs=9, rank=4)

    assert (changed.loop.epochs, changed.rank) == (9, 4)
    assert TrainingSettings.from_row(changed.to_row()) == changed
    with pytest.raises(BadSettings, match="no preset 't5'"):
        preset_named("t5")
    with pytest.raises(BadSettings, match="rang"):
        preset_named("cpu-tiny", rang=4)
    with pytest.raises(BadSettings, match="at least 1"):
        preset_named("cpu-tiny", epochs=0)
