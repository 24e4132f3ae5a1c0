"""What is said about memory before a training begins, for the shapes of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import GPTJConfig, LlamaConfig

from backend.domain.errors import TooLittleMemory
from tests.trainer.tiny import SETTINGS
from trainer.tuning.batches import TokenRow
from trainer.tuning.forecast import PACKED_BYTES, SPARE, MemoryForecast, forecast
from trainer.tuning.settings import PRESETS

T4 = (14.6e9, "a T4")


def _shape(folder: Path, kind: str) -> Path:
    """A folder with the configuration of a 7B Llama 2 or of GPT-J-6B, and no weights."""
    sizes: dict[str, Any] = {"architectures": ["LlamaForCausalLM"]}
    config: Any = LlamaConfig(**sizes)
    if kind == "gptj":
        config = GPTJConfig(architectures=["GPTJForCausalLM"])
    config.save_pretrained(folder)
    return folder


def _told(
    folder: Path, preset: str, tokens: int, available: tuple[float, str] = T4
) -> MemoryForecast:
    row = TokenRow(tuple(range(tokens)), tokens - 250)
    return forecast(folder, [row], PRESETS[preset], available=available)


@pytest.mark.parametrize(
    ("kind", "preset", "packed"),
    [("llama", "t4-llama2-7b", 6_476_005_376), ("gptj", "t4-gptj-6b", 5_637_144_576)],
)
def test_both_models_of_the_study_fit_a_t4(
    tmp_path: Path, kind: str, preset: str, packed: int
) -> None:
    """Packed are 32 x (4 x 4096² + 3 x 4096 x 11008), and 28 x (4 x 4096² + 2 x 4096 x 16384)."""
    told = _told(_shape(tmp_path, kind), preset, 1024)

    assert told.rows_at_once == PRESETS[preset].loop.rows_at_once == 2
    assert told.bytes < 9e9
    assert told.weight_bytes > 0.516 * packed
    assert told.weight_bytes < 0.516 * packed + 2.7e9


def test_longer_rows_take_more_than_their_share(tmp_path: Path) -> None:
    folder = _shape(tmp_path, "gptj")

    short, long = (_told(folder, "t4-gptj-6b", tokens) for tokens in (512, 1024))

    assert long.row_bytes > 2 * short.row_bytes - 250 * 50400 * 10 * 1.1


def test_fewer_rows_where_fewer_fit(tmp_path: Path) -> None:
    folder = _shape(tmp_path, "llama")

    assert _told(folder, "t4-llama2-7b", 1024, (7.5e9, "a small GPU")).rows_at_once == 1


def test_what_cannot_fit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = _shape(tmp_path, "llama")

    with pytest.raises(TooLittleMemory) as refused:
        _told(folder, "t4-llama2-7b", 1024, (6e9, "a GPU of 6 GB"))

    assert "does not fit" in str(refused.value)
    assert "6.0 GB on a GPU of 6 GB" in str(refused.value)
    assert "row_tokens is 1024" in str(refused.value)


def test_several_processes_split_the_packed_weights_and_nothing_else(tmp_path: Path) -> None:
    """Each keeps a quarter, and twice one of 32 layers while it is collected."""
    row = TokenRow(tuple(range(1024)), 774)
    folder, preset = _shape(tmp_path, "llama"), PRESETS["t4-llama2-7b"]

    one, four = (forecast(folder, [row], preset, available=T4, processes=count) for count in (1, 4))

    packed = 6_476_005_376 * PACKED_BYTES * SPARE
    assert one.weight_bytes - four.weight_bytes == pytest.approx(packed * (3 / 4 - 2 / 32))
    assert four.adapter_bytes == pytest.approx(one.adapter_bytes / 4)


def test_processes_on_one_machine_share_its_memory(base: Path) -> None:
    row = TokenRow(tuple(range(100)), 50)

    one, two = (forecast(base, [row], SETTINGS, processes=count) for count in (1, 2))

    assert two.available_bytes == pytest.approx(one.available_bytes / 2, rel=0.2)
    assert "for each of 2 processes" in str(two)
