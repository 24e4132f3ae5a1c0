"""From a transformers folder to a GGUF that llama.cpp computes alike."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from gguf import GGUFReader
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from transformers import AutoTokenizer

from backend.domain.errors import BadInput, BadSettings, UnusableModel
from backend.domain.model_card import ModelCard, check_prompt_format
from backend.domain.prompt import render
from trainer.export import Export, export, sha256
from trainer.llama_gguf import permuted, rope_base, write_llama
from trainer.parity import parity, prompts
from trainer.prepare import read_examples
from trainer.quantise import quiet
from trainer.rows import rendered


@pytest.fixture(scope="session")
def plain(merged: Path, workshop: Path) -> Path:
    write_llama(merged, workshop / "plain.gguf", name="plain")
    return workshop / "plain.gguf"


@pytest.fixture(scope="session")
def loaded(plain: Path) -> Iterator[Any]:
    quiet()
    model = llama_cpp.Llama(str(plain), n_ctx=64, verbose=False)
    yield model
    model.close()


def _texts(examples: Path) -> list[str]:
    found = [text for one in read_examples(examples) for text in (one.question, one.answer)]
    chance = random.Random(1)
    signs = "aіїєґҐЖ щ'’\"–—…€🙂\n\t  .,!?{}<>|/0123456789ßéЇ"  # noqa: RUF001
    found += ["".join(chance.choices(signs, k=60)) for _ in range(160)]
    return found


def test_llama_cpp_makes_the_same_tokens(loaded: Any, merged: Path, examples: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(merged)
    texts = _texts(examples)

    assert len(texts) >= 200
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert loaded.tokenize(text.encode(), add_bos=False, special=True) == ids
        assert loaded.tokenize(text.encode(), add_bos=True, special=True) == ids


def test_tokenizer_and_gguf_render_a_chat_alike(loaded: Any, merged: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(merged)
    messages = render("Де мій рахунок?\n\nInvoice {{ 7*7 }} please", budget=300).messages

    formatter: Any = Jinja2ChatFormatter(
        template=loaded.metadata["tokenizer.chat_template"],
        eos_token="<|im_end|>",
        bos_token="",
    )

    assert formatter(messages=messages).prompt == rendered(messages, tokenizer)
    assert loaded.token_eos() == tokenizer.eos_token_id


def test_llama_cpp_computes_the_same(merged: Path, plain: Path) -> None:
    found = parity(merged, plain, prompts(merged, budget=300))

    assert found.kl < 1e-5
    assert found.same_top > 0.99
    assert found.same_greedy == 1.0


def test_without_the_permutation_parity_fails(merged: Path, tmp_path: Path, workshop: Path) -> None:
    """The check would be worth nothing if it passed here."""
    spoilt = tmp_path / "spoilt.gguf"
    shutil.copyfile(workshop / "plain.gguf", spoilt)
    for tensor in GGUFReader(spoilt, "r+").tensors:
        if tensor.name.endswith("attn_q.weight"):
            tensor.data[:] = tensor.data[::-1]

    assert parity(merged, spoilt, prompts(merged, budget=300)).kl > 1e-4


def test_an_export_brings_its_card(merged: Path, examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.gguf"
    rows = tuple(read_examples(examples)[:2])

    card = export(Export(merged, out, "Q8_0", licence="MIT", examples=rows))

    assert ModelCard.from_json((tmp_path / "tuned.model_card.json").read_text()) == card
    check_prompt_format(card)
    assert (card.name, card.base, card.quantisation) == ("tuned", "base", "Q8_0")
    assert (card.prompt_format, card.prompt_tokens) == ("suggest-answer/1", 300)
    assert (card.sha256, card.context_tokens) == (sha256(out), 512)
    assert card.metrics["parity_f16"]["kl"] < 1e-5
    assert card.metrics["parity_q8_0"]["kl"] < 1e-2
    assert card.metrics["validation_loss"] < card.metrics["validation_loss_before"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tuned.gguf",
        "tuned.model_card.json",
    ]


def test_a_base_is_bound_to_no_prompt_format(base: Path, tmp_path: Path) -> None:
    card = export(Export(base, tmp_path / "base.gguf", "F16"))

    assert card.prompt_format == ""
    assert card.base == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architectures": ["GPTJForCausalLM"]}, "GPTJForCausalLM cannot be written"),
        ({"attention_bias": True}, "with biases"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5}}, "'llama3'"),
    ],
)
def test_what_cannot_be_written_is_refused(
    merged: Path, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    model = shutil.copytree(merged, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | change))

    with pytest.raises(UnusableModel, match=says):
        write_llama(model, tmp_path / "out.gguf", name="out")


def test_wrong_wishes_are_refused(merged: Path, tmp_path: Path) -> None:
    wish = Export(merged, tmp_path / "out.gguf")

    with pytest.raises(BadSettings, match="no quantisation 'Q9'"):
        replace(wish, kind="Q9")
    with pytest.raises(BadInput, match=r"must end in \.gguf"):
        replace(wish, out=tmp_path / "out.bin")


def test_both_spellings_of_the_rotary_base_are_read() -> None:
    assert rope_base({"rope_theta": 5e5}) == 5e5
    assert rope_base({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}) == 1e6
    assert rope_base({}) == 10_000.0


def test_permuted_rows_alternate_between_the_halves_of_a_head() -> None:
    rows = np.arange(8).reshape(8, 1)

    assert permuted(rows, heads=2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
