"""What record and card say of a training: its base, its data, its settings, its best loss."""

from __future__ import annotations

import json
import logging
from logging.handlers import BufferingHandler
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from trainer.gguf.model_card import card_of_export
from trainer.record import Record, name_of_base


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"_name_or_path": "meta-llama/Llama-2-7b-hf"}, "meta-llama/Llama-2-7b-hf"),
        ({"_name_or_path": "/home/someone/models/llama"}, "base-of-ours"),
        ({"_name_or_path": "./models/llama"}, "base-of-ours"),
        ({"_name_or_path": None}, "base-of-ours"),
        ({}, "base-of-ours"),
    ],
)
def test_a_base_is_called_what_its_config_calls_it(
    tmp_path: Path, told: dict[str, str], name: str
) -> None:
    folder = tmp_path / "base-of-ours"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")

    assert name_of_base(folder) == name


def test_a_base_without_a_config_is_called_as_its_folder(tmp_path: Path) -> None:
    assert name_of_base(tmp_path) == tmp_path.name


def test_the_loss_in_the_card_is_that_of_the_weights_that_won(base: Path) -> None:
    measured = [{"step": step, "loss": loss} for step, loss in ((0, 5.0), (9, 4.25), (18, 4.75))]
    settings = {"rank": 4, "fingerprint": "ab"}
    record = Record("train", settings=settings, history={"validation": measured})

    card = card_of_export(base, record, metrics={})

    assert card.metrics == {
        "validation_loss_before": 5.0,
        "validation_loss": 4.25,
        "settings": {"rank": 4},
    }


def test_a_row_that_will_be_left_out_is_not_warned_of(base: Path) -> None:
    logger = logging.getLogger("transformers.tokenization_utils_base")
    handler = BufferingHandler(100)
    logger.addHandler(handler)
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        assert len(tokenizer("long " * 5000)["input_ids"]) > tokenizer.model_max_length
        logger.warning("something else")
    finally:
        logger.removeHandler(handler)

    assert [record.getMessage() for record in handler.buffer] == ["something else"]
