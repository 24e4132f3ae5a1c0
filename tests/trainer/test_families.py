"""Each family through its own way: transformers and llama.cpp compute the same of its GGUF."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from backend.domain.errors import UnusableModel
from tests.trainer.tiny_models import CONFIGS, byte_level_tokenizer, write_model
from trainer.gguf.convert import context_tokens, write_gguf
from trainer.gguf.families import (
    FAMILIES,
    LLAMA,
    family_of,
    halves_as_neighbours,
    neighbours_as_halves,
    rope_numbers,
)
from trainer.gguf.logits import reference_logits
from trainer.gguf.parity import Parity, continuations, parity, prompts
from trainer.tensor_files import TensorFolder


@pytest.fixture(scope="session")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("families")
    tokenizer = byte_level_tokenizer()

    def made(name: str) -> Path:
        path = folder / name.replace(" ", "-")
        return path if path.exists() else write_model(path, CONFIGS[name](), tokenizer)

    return made


def compared(model: Path, gguf: Path, *, count: int = 3, tokens: int = 12) -> Parity:
    texts = continuations(gguf, prompts(model, budget=150, count=count), model, tokens=tokens)
    return parity(gguf, texts, reference_logits(model, [text.ids for text in texts]))


@pytest.mark.parametrize("name", CONFIGS)
def test_llama_cpp_computes_what_transformers_computes(
    random_models: Any, tmp_path: Path, name: str
) -> None:
    model = random_models(name)

    write_gguf(model, tmp_path / "model.gguf", name=name)
    found = compared(model, tmp_path / "model.gguf")

    assert found.kl < 1e-6
    assert found.same_greedy == 1.0
    assert abs(found.perplexity_change) < 1e-3


@pytest.mark.parametrize("name", ["llama", "gptj"])
def test_both_families_of_the_study_write_the_same_fifty_tokens_after_twenty_prompts(
    random_models: Any, tmp_path: Path, name: str
) -> None:
    model = random_models(name)

    write_gguf(model, tmp_path / "model.gguf", name=name)
    found = compared(model, tmp_path / "model.gguf", count=20, tokens=50)

    assert (found.prompts, found.same_greedy) == (20, 1.0)
    assert found.kl <= 1e-4


@pytest.mark.parametrize("name", ["llama", "gptj"])
def test_rows_in_the_wrong_order_are_noticed(random_models: Any, tmp_path: Path, name: str) -> None:
    """The comparison would be worth nothing if it passed here."""
    model = random_models(name)
    write_gguf(model, tmp_path / "model.gguf", name=name)

    for tensor in GGUFReader(tmp_path / "model.gguf", "r+").tensors:
        if tensor.name.endswith("attn_q.weight"):
            tensor.data[:] = tensor.data[::-1]

    assert compared(model, tmp_path / "model.gguf").kl > 1e-4


def test_llama_3_slows_its_angles_as_transformers_does(random_models: Any, tmp_path: Path) -> None:
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    write_gguf(random_models("llama 3"), tmp_path / "model.gguf", name="llama 3")
    tensors = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "model.gguf").tensors}

    theirs = LlamaRotaryEmbedding(CONFIGS["llama 3"]()).inv_freq.numpy()
    plain = 5e5 ** -(np.arange(0, 16, 2) / 16)
    assert tensors["rope_freqs.weight"] == pytest.approx(plain / theirs, rel=1e-5)


def test_a_context_ends_where_a_window_would_begin_to_slide(random_models: Any) -> None:
    assert context_tokens(random_models("mistral")) == 896
    assert context_tokens(random_models("llama")) == 1024


def test_old_weights_of_torch_are_read_too(random_models: Any, tmp_path: Path) -> None:
    model = shutil.copytree(random_models("gptj"), tmp_path / "old")
    weights = load_file(model / "model.safetensors")
    weights |= {
        "transformer.h.0.attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.bool),
        "transformer.h.0.attn.masked_bias": torch.tensor(-1e9),
    }
    torch.save(weights, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()

    write_gguf(model, tmp_path / "old.gguf", name="same")
    write_gguf(random_models("gptj"), tmp_path / "new.gguf", name="same")

    assert (tmp_path / "old.gguf").read_bytes() == (tmp_path / "new.gguf").read_bytes()


def test_only_the_files_of_the_index_count(random_models: Any, tmp_path: Path) -> None:
    """Mistral 7B comes with its weights once more, under names of its own."""
    sharded = shutil.copytree(random_models("mistral"), tmp_path / "sharded")
    model: Any = AutoModelForCausalLM.from_pretrained(sharded)
    (sharded / "model.safetensors").unlink()
    model.save_pretrained(sharded, max_shard_size="100KB")
    save_file({"layers.0.attention.wq.weight": torch.ones(2)}, sharded / "consolidated.safetensors")
    assert len(list(sharded.glob("model-*.safetensors"))) > 1

    write_gguf(sharded, tmp_path / "sharded.gguf", name="same")
    write_gguf(random_models("mistral"), tmp_path / "one.gguf", name="same")
    assert (tmp_path / "sharded.gguf").read_bytes() == (tmp_path / "one.gguf").read_bytes()

    next(sharded.glob("model-00002*")).unlink()
    with pytest.raises(UnusableModel, match=r"lacks model-00002-of-\d+\.safetensors\. Download"):
        TensorFolder(sharded)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("llama", {"architectures": ["MambaForCausalLM"]}, "MambaForCausalLM cannot be written"),
        ("llama", {"hidden_act": "relu"}, "llama.cpp has SiLU"),
        ("llama", {"rope_parameters": {"rope_type": "longrope"}}, "'longrope'"),
        ("llama", {"partial_rotary_factor": 0.5}, "turned in part"),
        ("llama", {"num_hidden_layers": 3}, r"no tensor model\.layers\.2\."),
        ("gptj", {"activation_function": "relu"}, "GELU of GPT-J"),
        ("gptj", {"tie_word_embeddings": True}, "whose output is its embedding"),
        ("qwen3", {"architectures": ["LlamaForCausalLM"]}, "_norm.weight has no place"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(
    random_models: Any, tmp_path: Path, name: str, change: dict[str, Any], says: str
) -> None:
    model = shutil.copytree(random_models(name), tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | change))

    with pytest.raises(UnusableModel, match=says):
        write_gguf(model, tmp_path / "out.gguf", name="out")


def test_values_that_float16_cannot_hold_are_refused(random_models: Any, tmp_path: Path) -> None:
    model = shutil.copytree(random_models("llama"), tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][3, 3] = 1e6
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(UnusableModel, match=r"blk\.1\.ffn_down\.weight has values"):
        write_gguf(model, tmp_path / "out.gguf", name="out")


def test_both_spellings_of_the_rotary_base_are_read() -> None:
    for config, base in (
        ({"rope_theta": 5e5}, 5e5),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, 1e6),
        ({}, 1e4),
    ):
        assert rope_numbers(config) == {"rope.freq_base": base}


def test_rows_move_between_halves_and_neighbours() -> None:
    assert halves_as_neighbours(2, 4).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert neighbours_as_halves(1, 6, 4).tolist() == [0, 2, 1, 3, 4, 5]
    back = halves_as_neighbours(3, 8)[neighbours_as_halves(3, 8, 8)]
    assert back.tolist() == list(range(24))


def test_a_family_is_found_by_its_architecture() -> None:
    for architecture, family in FAMILIES.items():
        assert family_of({"architectures": [architecture]}) is family
    assert LLAMA.gguf_name("model.layers.11.mlp.up_proj.weight") == "blk.11.ffn_up.weight"
