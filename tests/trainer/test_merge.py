"""Merging into the weights that were trained against: the 4-bit ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from backend.domain.errors import UnusableModel
from tests.trainer.tiny import SETTINGS
from trainer.gguf.merge import merge, through_four_bits
from trainer.tensor_files import TensorFolder, write_tensors
from trainer.tuning.quantised_base import load_in_four_bits, packed_layers

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

IDS = torch.tensor([[5, 80, 200, 301, 42, 17, 99, 250]])


def test_the_merged_model_computes_what_was_trained(
    base: Path, adapter: Path, merged: Path
) -> None:
    trained = PeftModel.from_pretrained(load_in_four_bits(base, SETTINGS), adapter).eval()
    whole: Any = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)

    with torch.no_grad():
        expected, got = trained(IDS).logits, whole.eval()(IDS).logits

    assert _kl(expected, got) < 1e-5
    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        assert _kl(expected, plain.eval()(IDS).logits) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_streamed_weights_are_those_that_training_saw(base: Path, dtype: torch.dtype) -> None:
    from bitsandbytes.functional import dequantize_4bit

    settings = SETTINGS if dtype == torch.float32 else _in_half(SETTINGS)
    packed = dict(load_in_four_bits(base, settings).named_modules())
    weights = TensorFolder(base)

    for name in packed_layers(base):
        weight = packed[name].weight
        seen = dequantize_4bit(weight.data, weight.quant_state)
        streamed = through_four_bits(weights.read(f"{name}.weight").to(dtype))
        assert torch.equal(seen.float(), streamed.float())


def test_an_adapter_of_another_base_is_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = shutil.copytree(adapter, tmp_path / "other")
    found = TensorFolder(adapter)
    renamed = {name.replace("layers.1", "layers.7"): name for name in found.shapes}
    write_tensors(
        other / "adapter_model.safetensors",
        {new: found.shapes[old] for new, old in renamed.items()},
        ((new, found.read(old)) for new, old in renamed.items()),
        torch.float32,
    )

    with pytest.raises(UnusableModel, match=r"layers\.7"):
        merge(base=base, adapter=other, out=tmp_path / "out")


def test_a_folder_without_a_training_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match=r"no training\.json"):
        merge(base=base, adapter=tmp_path, out=tmp_path / "out")


def test_the_tokenizer_comes_along_byte_by_byte(base: Path, merged: Path) -> None:
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (merged / name).read_bytes() == (base / name).read_bytes()
    assert json.loads((merged / "config.json").read_text())["dtype"] == "float16"


def _kl(expected: Any, got: Any) -> float:
    logs, others = (torch.log_softmax(model.double(), dim=-1) for model in (expected, got))
    return float((logs.exp() * (logs - others)).sum(dim=-1).mean())


def _in_half(settings: Any) -> Any:
    from dataclasses import replace

    return replace(settings, weights="float16")
