"""A folder in which another training was finished, or whose files were torn."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backend.domain.errors import UnusableModel
from tests.trainer.tiny import LOOP, SETTINGS
from trainer.gguf.merge import merge
from trainer.record import read_record
from trainer.tuning.settings import TrainingSettings
from trainer.tuning.train import archive, train

SHORT = replace(SETTINGS, samples=1, sample_tokens=4, loop=replace(LOOP, epochs=1))
OTHER = replace(SHORT, loop=replace(SHORT.loop, learning_rate=1e-3))


class Killed(BaseException):
    pass


def _train(base: Path, examples: Path, out: Path, settings: TrainingSettings, end: str = "") -> str:
    """What was said; the training is killed when it says `end`."""
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if end and end in sentence:
            raise Killed

    train(base=base, examples=examples, out=out, settings=settings, say=say)
    return "\n".join(said)


def test_an_old_adapter_cannot_be_taken_for_that_of_a_training_that_was_cut_off(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    _train(base, examples, out, SHORT)
    weights = (out / "adapter_model.safetensors").read_bytes()

    with pytest.raises(Killed):
        _train(base, examples, out, OTHER, end="earlier training")

    with pytest.raises(UnusableModel, match=r"no training\.json"):
        merge(base=base, adapter=out, out=tmp_path / "merged")
    earlier = read_record(out / "earlier-1")
    assert earlier is not None
    assert earlier.settings["loop"]["learning_rate"] == LOOP.learning_rate
    assert (out / "earlier-1" / "adapter_model.safetensors").read_bytes() == weights
    _train(base, examples, out, OTHER)
    assert _train(base, examples, out, OTHER) == ""
    assert "earlier-2" in _train(base, examples, out, SHORT)


def test_other_weights_of_an_older_model_are_another_base(
    base: Path, examples: Path, tmp_path: Path
) -> None:
    """Such as those of GPT-J, which are no safetensors files."""
    older, out = tmp_path / "older", tmp_path / "adapter"
    shutil.copytree(base, older, ignore=shutil.ignore_patterns("*.safetensors", "*.pt"))
    weights = load_file(base / "model.safetensors")
    torch.save(weights, older / "pytorch_model.bin")
    _train(older, examples, out, SHORT)
    assert _train(older, examples, out, SHORT) == ""

    torch.save({**weights, "model.more": torch.zeros(99)}, older / "pytorch_model.bin")

    assert "earlier-1" in _train(older, examples, out, SHORT)


def test_an_archive_takes_a_number_above_all_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "earlier-2").mkdir()
    (tmp_path / "earlier-2" / "training.json").write_text("second")
    (tmp_path / "training.json").write_text("third")

    place = archive(tmp_path)

    assert place == tmp_path / "earlier-3"
    assert (place / "training.json").read_text() == "third"
    assert (tmp_path / "earlier-2" / "training.json").read_text() == "second"
    assert not (tmp_path / "training.json").exists()


@pytest.mark.parametrize("name", ["training.json", "samples.json"])
def test_a_torn_file_costs_its_content_and_not_the_training(
    base: Path, examples: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text('{"0": ["Hel', encoding="utf-8")

    _train(base, examples, tmp_path, SHORT)

    record = read_record(tmp_path)
    assert record is not None
    measured = [str(int(measurement["step"])) for measurement in record.history["validation"]]
    assert list(json.loads((tmp_path / "samples.json").read_text("utf-8"))) == measured
