"""How a run is watched, ended early, taken up again and fitted into memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from backend.domain.errors import BadSettings
from tests.trainer.tiny import LOOP, SETTINGS
from trainer.data.prepare import read_examples
from trainer.record import CHECKPOINT
from trainer.tuning.batches import TokenRow, example_row
from trainer.tuning.checkpoints import BEST_BEFORE
from trainer.tuning.forecast import probe
from trainer.tuning.loop import History, TrainingTask, optimise
from trainer.tuning.optimiser import mean_loss
from trainer.tuning.quantised_base import load_in_four_bits, with_adapter
from trainer.tuning.settings import LoopSettings, TrainingSettings, preset_named
from trainer.tuning.train import train


@pytest.fixture
def rows(examples: Path, base: Path) -> list[TokenRow]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    return [example_row(example, tokenizer, budget=300) for example in read_examples(examples)[:12]]


def _run(
    base: Path, rows: list[TokenRow], folder: Path, loop: LoopSettings, **changes: Any
) -> tuple[History, Any]:
    model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
    task = TrainingTask(model, lambda _: rows, rows[:3], fingerprint="one")
    return optimise(replace(task, **changes), loop, folder=folder), model


def _losses(history: History) -> list[float]:
    return [step["loss"] for step in history.steps]


def test_rows_at_once_change_memory_and_nothing_else(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    together, _ = _run(base, rows, tmp_path / "all", LOOP)
    single, _ = _run(base, rows, tmp_path / "one", LOOP, rows_at_once=1)

    assert _losses(single) == pytest.approx(_losses(together), rel=1e-4)


def test_the_rows_of_an_epoch_are_made_once(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    made: list[int] = []

    def of_epoch(epoch: int) -> list[TokenRow]:
        made.append(epoch)
        return rows

    model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
    loop = replace(LOOP, epochs=3, batch_rows=5)
    history = optimise(TrainingTask(model, of_epoch, (), fingerprint="one"), loop, folder=tmp_path)

    assert made == [0, 1, 2]
    assert len(history.steps) == 3 * 3


@pytest.mark.parametrize(
    ("compute", "optimiser"),
    [("float16", "adamw"), ("bfloat16", "paged_adamw_8bit"), ("float32", "paged_adamw_8bit")],
)
def test_every_precision_and_optimiser_learns_the_same(
    base: Path, rows: list[TokenRow], tmp_path: Path, compute: Any, optimiser: Any
) -> None:
    plain, _ = _run(base, rows, tmp_path / "plain", LOOP)
    other, _ = _run(
        base, rows, tmp_path / "other", replace(LOOP, compute=compute, optimiser=optimiser)
    )

    assert _losses(other)[0] == pytest.approx(_losses(plain)[0], rel=0.02)
    assert _losses(other)[-1] == pytest.approx(_losses(plain)[-1], rel=0.05)


def test_a_run_that_gets_no_better_ends_and_its_best_weights_win(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    """A rate that is far too high gets worse soon."""
    wild = replace(LOOP, epochs=30, learning_rate=0.3, warmup_share=0.5, measurements=2, patience=4)

    history, model = _run(base, rows, tmp_path, wild)

    measured = [measurement["loss"] for measurement in history.validation]
    assert len(history.steps) < 90
    assert measured[-1] > min(measured) < measured[0]
    assert len(measured) - 1 - measured.index(min(measured)) == 4
    assert mean_loss(model, rows[:3], wild, at_once=3) == pytest.approx(min(measured), abs=1e-4)


class Killed(BaseException):
    pass


def test_early_stopping_survives_kills(base: Path, rows: list[TokenRow], tmp_path: Path) -> None:
    loop = replace(LOOP, epochs=6, patience=2, learning_rate=0.1, checkpoint_minutes=0.0)
    whole, _ = _run(base, rows, tmp_path / "whole", loop)
    kills = 0
    for limit in (1, 2, 3, 4):

        def watch(history: History, limit: int = limit) -> None:
            if len(history.validation) > limit:
                raise Killed

        try:
            _run(base, rows, tmp_path / "killed", loop, watch=watch)
        except Killed:
            kills += 1
    resumed, _ = _run(base, rows, tmp_path / "killed", loop)

    assert kills >= 2
    assert _losses(resumed) == pytest.approx(_losses(whole), abs=1e-5)
    assert resumed.best == pytest.approx(whole.best)


def test_measurements_cut_an_epoch_into_equal_parts(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    history, _ = _run(base, rows, tmp_path, replace(LOOP, batch_rows=1, measurements=3))

    assert [measurement["step"] for measurement in history.validation] == [0, 4, 8, 12, 16, 20, 24]


def test_the_probe_leaves_no_trace(base: Path, rows: list[TokenRow]) -> None:
    model = with_adapter(load_in_four_bits(base, SETTINGS), SETTINGS).get_base_model()
    before = {
        name: weight.clone() for name, weight in model.named_parameters() if weight.requires_grad
    }
    chance = torch.get_rng_state()

    seen = probe(model, rows, LOOP, at_once=4)

    assert seen.rows_at_once == 4
    assert seen.hours(rows, 3) > 0
    assert torch.equal(torch.get_rng_state(), chance)
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            assert weight.grad is None
            assert torch.equal(weight, before[name])


def test_curves_samples_and_forecast_are_there_for_people(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = replace(SETTINGS, samples=1, sample_tokens=8, loop=replace(LOOP, measurements=2))

    record = train(base=base, examples=examples, out=tmp_path, settings=settings, say=said.append)

    assert said[0].startswith("Memory: ")
    assert said[1].startswith("Time: about ")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    samples = json.loads((tmp_path / "samples.json").read_text("utf-8"))
    assert list(samples) == [
        str(int(measurement["step"])) for measurement in record.history["validation"]
    ]
    assert all(len(replies) == 1 for replies in samples.values())
    text = (tmp_path / "samples.md").read_text("utf-8")
    assert text.count("**The team sent**") == 1
    assert text.count("**Step ") == len(samples)
    assert not (tmp_path / CHECKPOINT).exists()
    assert record.history["best"] == min(
        record.history["validation"], key=lambda measurement: measurement["loss"]
    )


def test_the_time_is_tried_with_the_threads_of_the_steps(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    threads: list[int] = []
    before = torch.get_num_threads()
    torch.set_num_threads(3)

    def say(_: str) -> None:
        threads.append(torch.get_num_threads())

    try:
        settings = replace(SETTINGS, loop=replace(LOOP, threads=1))
        train(base=base, examples=examples, out=tmp_path, settings=settings, say=say)
    finally:
        torch.set_num_threads(before)

    assert threads[:2] == [3, 1]  # what is told of memory, then of time


def test_a_training_goes_on_with_other_rows_at_once_but_not_with_another_rate(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    def training(settings: TrainingSettings, watch_ends: bool = False) -> None:
        def say(sentence: str) -> None:
            if watch_ends:
                raise Killed

        train(base=base, examples=examples, out=tmp_path, settings=settings, say=say)

    training(SETTINGS)
    finished = (tmp_path / "adapter_model.safetensors").stat().st_mtime_ns
    at_once = replace(SETTINGS, loop=replace(LOOP, rows_at_once=1, checkpoint_minutes=1.0))
    training(at_once, watch_ends=True)

    assert (tmp_path / "adapter_model.safetensors").stat().st_mtime_ns == finished
    with pytest.raises(Killed):
        training(replace(SETTINGS, loop=replace(LOOP, learning_rate=1e-5)), watch_ends=True)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("compute", "int8"),
        ("optimiser", "sgd"),
        ("rows_at_once", -1),
        ("measurements", 0),
        ("checkpoint_minutes", -0.5),
        ("weight_decay", -0.1),
        ("largest_gradient", 0.0),
        ("largest_gradient", float("nan")),
        ("second_moment", 1.0),
        ("samples", -1),
        ("opening_epochs", -1),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, wrong: Any) -> None:
    with pytest.raises(BadSettings, match=name):
        preset_named("cpu-tiny", **{name: wrong})


def test_a_checkpoint_with_its_best_weights_in_another_file_is_gone_on_from(
    base: Path, rows: list[TokenRow], tmp_path: Path
) -> None:
    loop = replace(LOOP, epochs=4, patience=2, learning_rate=0.1, checkpoint_minutes=0.0)
    whole, expected = _run(base, rows, tmp_path / "whole", loop)
    _run(base, rows, tmp_path / "before", loop)
    path = tmp_path / "before" / CHECKPOINT
    state = torch.load(path, weights_only=True)
    best = {"fingerprint": "one", "weights": state.pop("best")}
    torch.save(state, path)

    with pytest.raises(BadSettings, match=r"without its best\.pt"):
        _run(base, rows, tmp_path / "before", loop)
    torch.save(best, path.with_name(BEST_BEFORE))
    resumed, model = _run(base, rows, tmp_path / "before", loop)

    assert resumed.since_best == whole.since_best == 2
    for name, weight in expected.named_parameters():
        assert not weight.requires_grad or torch.equal(model.get_parameter(name), weight)
