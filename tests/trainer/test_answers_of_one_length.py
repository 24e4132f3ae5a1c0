"""Models that would end early, made to write on: what they share with a person's answer then."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from backend.domain.errors import BadInput
from backend.domain.example import Example, training_messages
from backend.domain.model_card import ModelCard
from trainer.dialect import TokenizerDialect, prompt_text
from trainer.evaluate import Asking, Evaluation, evaluate
from trainer.evaluation.answers import ANSWERS, Answer
from trainer.evaluation.endpoint import EndpointSubject
from trainer.evaluation.subjects import FolderSubject, GgufSubject
from trainer.gguf_file import write_gguf
from trainer.prepare import read_examples

TOKENS = 24


@pytest.fixture(scope="module")
def tickets(examples: Path) -> tuple[Example, ...]:
    return tuple(one for one in read_examples(examples) if one.split != "train")[:2]


@pytest.fixture(scope="module")
def ending(merged: Path, workshop: Path, tickets: tuple[Example, ...]) -> Path:
    """A model that ends where the merged one would write its third token once more."""
    folder = workshop / "ending"
    shutil.copytree(merged, folder)
    model: Any = AutoModelForCausalLM.from_pretrained(merged)
    tokenizer: Any = AutoTokenizer.from_pretrained(merged)
    dialect = TokenizerDialect(tokenizer)
    ids = dialect.ids(prompt_text(training_messages(tickets[0], budget=300)[:-1], dialect))
    written = model.generate(torch.tensor([ids]), max_new_tokens=3, do_sample=False)[0, -1]
    with torch.no_grad():
        embedding = model.get_input_embeddings().weight
        embedding[tokenizer.eos_token_id] = embedding[written] * 1.05
    model.save_pretrained(folder)
    write_gguf(folder, folder / "ending.gguf", name="ending")
    card = ModelCard(name="ending", sha256="0" * 64)
    (folder / "ending.model_card.json").write_text(card.to_json())
    return folder


def test_answers_can_be_made_equally_long(
    ending: Path, tickets: tuple[Example, ...], tmp_path: Path
) -> None:
    gguf = GgufSubject("gguf", ending / "ending.gguf", context=768)
    subjects = (FolderSubject("folder", ending), gguf)

    written = {}
    for exactly in (True, False):
        asking = Asking(300, TOKENS, exactly)
        text = evaluate(Evaluation(subjects, tickets, tmp_path / str(exactly), asking))
        lines = (tmp_path / str(exactly) / ANSWERS).read_text().splitlines()
        written[exactly] = [Answer.from_json(line).reply for line in lines]
        card = ModelCard.from_json((ending / "ending.model_card.json").read_bytes())
        assert ("nobody may end" in text) == exactly
        assert ("evaluation" in card.metrics) != exactly  # a card tells of answers as served

    assert min(one.tokens for one in written[False]) < TOKENS
    assert {one.tokens for one in written[True]} == {TOKENS}
    texts = [one.text for one in written[True]]
    assert texts[: len(tickets)] == texts[len(tickets) :]


def test_an_endpoint_cannot_be_told_to_go_on(tickets: tuple[Example, ...], tmp_path: Path) -> None:
    chat = EndpointSubject("chat", "http://127.0.0.1:9", "gpt-x")

    with pytest.raises(BadInput, match="exactly 24 tokens"):
        evaluate(Evaluation((chat,), tickets, tmp_path, Asking(300, TOKENS, exactly=True)))
