"""Adapters of each family: merged into what was trained, into the original, or left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from backend.domain.errors import BadSettings, UnusableModel
from tests.trainer.tiny import SETTINGS
from tests.trainer.tiny_models import (
    CONFIGS,
    byte_level_tokenizer,
    read_aloud,
    write_adapter,
    write_model,
)
from trainer.gguf.adapter import write_lora
from trainer.gguf.convert import write_gguf
from trainer.gguf.export import Export, export
from trainer.gguf.logits import reference_logits
from trainer.gguf.merge import merge, read_adapter
from trainer.gguf.parity import QUESTIONS, continuations, parity, prompts
from trainer.tuning.quantised_base import load_in_four_bits

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"
IDS = torch.tensor([[5, 80, 200, 301, 42, 17, 99, 250]])


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("pairs")

    def made(name: str) -> tuple[Path, Path]:
        base, adapter = folder / name, folder / f"{name}-adapter"
        if not base.exists():
            write_model(base, CONFIGS[name](), byte_level_tokenizer())
            write_adapter(adapter, base, SETTINGS)
        return base, adapter

    return made


@pytest.mark.parametrize("name", ["mistral", "qwen2", "qwen3", "gptj"])
def test_each_family_is_merged_into_what_was_trained(pairs: Any, tmp_path: Path, name: str) -> None:
    base, adapter = pairs(name)
    trained = PeftModel.from_pretrained(load_in_four_bits(base, SETTINGS), adapter)

    merge(base=base, adapter=adapter, out=tmp_path / "merged")

    assert _kl(trained, _loaded(tmp_path / "merged")) < 1e-6
    assert _kl(trained, _loaded(base)) > 1e-4


@pytest.mark.parametrize("name", ["llama", "mistral", "qwen2", "qwen3", "gptj"])
def test_each_family_is_merged_into_its_original(pairs: Any, tmp_path: Path, name: str) -> None:
    base, adapter = pairs(name)
    plain = PeftModel.from_pretrained(_loaded(base), adapter)

    merge(base=base, adapter=adapter, out=tmp_path / "merged", into="original")

    assert _kl(plain, _loaded(tmp_path / "merged")) < 1e-6
    record = json.loads((tmp_path / "merged" / "training.json").read_text())
    assert record["method"] == "QLoRA; merged into the original"


@pytest.mark.parametrize("name", ["llama", "mistral", "qwen2", "qwen3", "gptj"])
def test_each_family_carries_its_adapter_alone(pairs: Any, tmp_path: Path, name: str) -> None:
    base, adapter = pairs(name)
    whole = merge(base=base, adapter=adapter, out=tmp_path / "whole", into="original")
    write_gguf(base, tmp_path / "base.gguf", name="base")
    write_lora(base, adapter, tmp_path / "lora.gguf", name="lora")

    texts = continuations(
        tmp_path / "base.gguf", prompts(base, budget=150, count=1), base, tokens=4
    )
    expected = list(reference_logits(whole, [text.ids for text in texts]))

    together = parity(tmp_path / "base.gguf", texts, expected, lora=tmp_path / "lora.gguf")
    assert together.kl < 1e-6
    assert parity(tmp_path / "base.gguf", texts, expected).kl > 1e-4


def test_a_gptj_that_has_read_is_tuned_merged_and_exported(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", CONFIGS["gptj"](), byte_level_tokenizer())
    read_aloud(base, QUESTIONS[:8])
    adapter = write_adapter(tmp_path / "adapter", base, SETTINGS)
    (adapter / "chat_template.jinja").write_text(TEMPLATE)

    merged = merge(base=base, adapter=adapter, out=tmp_path / "merged")
    card = export(Export(merged, tmp_path / "gptj.gguf", "Q8_0"))

    exact = card.metrics["parity_f16"]
    assert (exact["prompts"], exact["same_greedy"]) == (20, 1.0)
    assert exact["kl"] <= 1e-4
    assert exact["kl"] < card.metrics["parity_q8_0"]["kl"] < 1e-2
    assert (merged / "chat_template.jinja").read_text() == TEMPLATE


def test_only_plain_adapters_are_read(pairs: Any, tmp_path: Path) -> None:
    _, adapter = pairs("llama")
    config = json.loads((adapter / "adapter_config.json").read_text())
    for change, says in (({"use_dora": True}, "use_dora"), ({"rank_pattern": {"a": 2}}, "rank_p")):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | change))
        with pytest.raises(UnusableModel, match=f"no plain LoRA: it has {says}"):
            read_adapter(tmp_path)


def test_there_is_no_third_way_to_merge(pairs: Any, tmp_path: Path) -> None:
    base, adapter = pairs("llama")

    with pytest.raises(BadSettings, match="trained or original, not '4bit'"):
        merge(base=base, adapter=adapter, out=tmp_path, into="4bit")  # type: ignore[arg-type]


def _loaded(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def _kl(expected: Any, got: Any) -> float:
    with torch.no_grad():
        logits = [model.eval()(IDS).logits.double() for model in (expected, got)]
    logs, others = (torch.log_softmax(row, dim=-1) for row in logits)
    return float((logs.exp() * (logs - others)).sum(dim=-1).mean())
