"""The study's two families, and bases that never saw a chat, through the same training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM

from backend.domain.errors import UnusableModel
from backend.domain.example import Example
from tests.trainer.tiny import LOOP, SETTINGS, SIZE
from trainer.chat_format import tokenizer_of
from trainer.data.prepare import read_examples
from trainer.tuning.batches import batch, example_row
from trainer.tuning.optimiser import answer_loss
from trainer.tuning.pretrain import pretrain
from trainer.tuning.quantised_base import packed_layers
from trainer.tuning.settings import PretrainSettings
from trainer.tuning.train import train


@pytest.fixture(scope="session")
def gptj(workshop: Path, examples: Path) -> Path:
    """A tiny GPT-J without a chat template, as the real one has none."""
    folder = workshop / "gptj"
    settings = PretrainSettings(size=replace(SIZE, family="gptj"), loop=LOOP, prompt_tokens=300)
    pretrain(read_examples(examples), out=folder, settings=settings)
    (folder / "chat_template.jinja").unlink()
    return folder


def test_a_gptj_is_tuned_as_a_llama_is(gptj: Path, examples: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, activation_checkpointing=True)

    record = train(base=gptj, examples=examples, out=tmp_path, settings=settings)

    losses = [measurement["loss"] for measurement in record.history["validation"]]
    assert losses[-1] < losses[0] - 0.1
    assert len(packed_layers(gptj)) == 2 * 6  # q, k, v, out, fc_in, fc_out in each layer
    assert (tmp_path / "chat_template.jinja").exists()


def test_a_base_without_a_chat_template_gets_a_plain_one(gptj: Path) -> None:
    tokenizer = tokenizer_of(gptj)
    example = Example(question="Where is it?", answer="In the menu.", source="ticket:1")

    made = example_row(example, tokenizer, budget=300)

    assert tokenizer.decode(made.ids[made.answer_from :]) == "In the menu.<|im_end|>"
    prompt = tokenizer.decode(made.ids[: made.answer_from])
    assert prompt.endswith("\n\n### Reply\n")
    assert "### Request\n" in prompt


@pytest.mark.parametrize(("adds", "begin"), [(True, "<|endoftext|>"), (False, "")])
def test_a_chat_begins_as_the_base_expects(
    gptj: Path, tmp_path: Path, adds: bool, begin: str
) -> None:
    """LLaMA 2 saw a begin token before every text; GPT-J did not."""
    tokenizer = tokenizer_of(gptj)
    tokenizer.chat_template = None
    tokenizer.bos_token = "<|endoftext|>"
    if adds:
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<|endoftext|> $A",
            special_tokens=[("<|endoftext|>", tokenizer.bos_token_id)],
        )
    tokenizer.save_pretrained(tmp_path)

    example = Example(question="Where is it?", answer="In the menu.", source="ticket:1")
    made = example_row(example, tokenizer_of(tmp_path), budget=300)

    assert tokenizer.decode(made.ids).startswith(begin + "You are a support agent.")


def test_a_tokenizer_without_an_end_is_refused(gptj: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(gptj)
    tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)

    with pytest.raises(UnusableModel, match="no reply could ever end"):
        tokenizer_of(tmp_path)


def test_padding_and_neighbours_do_not_change_a_gptj(gptj: Path, examples: Path) -> None:
    tokenizer = tokenizer_of(gptj)
    model: Any = AutoModelForCausalLM.from_pretrained(gptj)
    rows = [example_row(example, tokenizer, budget=300) for example in read_examples(examples)[:6]]

    with torch.no_grad():
        alone = sum(answer_loss(model, batch([row])) for row in rows)
        together = answer_loss(model, batch(rows))

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)
