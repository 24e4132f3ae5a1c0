"""Models that would end early, made to write on: what they share with a person's answer then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from backend.domain.errors import BadInput
from backend.domain.example import Example, training_messages
from backend.domain.model_card import ModelCard
from tests.trainer.tiny_models import CONFIGS, byte_level_tokenizer, read_aloud, write_model
from trainer.chat_format import TokenizerChatFormat, prompt_text
from trainer.data.prepare import read_examples
from trainer.evaluation.answers import ANSWERS, SubjectAnswer
from trainer.evaluation.evaluate import Asking, Evaluation, evaluate
from trainer.evaluation.subjects import EndpointSubject, FolderSubject, GgufSubject
from trainer.gguf.convert import write_gguf
from trainer.gguf.parity import QUESTIONS

LETTERS, TOKENS = 40, 24


@pytest.fixture(scope="module")
def tickets(examples: Path) -> tuple[Example, ...]:
    return tuple(example for example in read_examples(examples) if example.split != "train")[:2]


@pytest.fixture(scope="module")
def ending(workshop: Path, tickets: tuple[Example, ...]) -> Path:
    """A model that ends where it would write its third token once more."""
    folder = write_model(workshop / "ending", CONFIGS["llama"](), byte_level_tokenizer())
    read_aloud(folder, QUESTIONS[:8])
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    chat_format = TokenizerChatFormat(tokenizer)
    ids = chat_format.ids(prompt_text(training_messages(tickets[0], budget=300)[:-1], chat_format))
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
    for letters in (LETTERS, 0):
        asking = Asking(300, TOKENS, letters)
        text = evaluate(Evaluation(subjects, tickets, tmp_path / str(letters), asking))
        lines = (tmp_path / str(letters) / ANSWERS).read_text().splitlines()
        written[letters] = [SubjectAnswer.from_json(line).reply for line in lines]
        card = ModelCard.from_json((ending / "ending.model_card.json").read_bytes())
        assert ("nobody may end" in text) == (letters > 0)
        assert ("evaluation" in card.metrics) != (letters > 0)  # a card tells of answers as served

    assert min(answer.tokens for answer in written[0]) < TOKENS
    texts = [answer.text for answer in written[LETTERS]]
    assert {len(text) for text in texts} == {LETTERS}
    assert texts[: len(tickets)] == texts[len(tickets) :]
    for short, long in zip(written[0], texts, strict=True):
        assert min(len(short.text), LETTERS) > 0
        assert long.startswith(short.text[:LETTERS])


def test_an_endpoint_cannot_be_told_to_go_on(tickets: tuple[Example, ...], tmp_path: Path) -> None:
    chat = EndpointSubject("chat", "http://127.0.0.1:9", "gpt-x")

    with pytest.raises(BadInput, match="until 40 letters"):
        evaluate(Evaluation((chat,), tickets, tmp_path, Asking(300, TOKENS, letters=LETTERS)))


def test_an_answer_has_no_less_than_nothing() -> None:
    for tokens, letters in ((0, 0), (24, -1)):
        with pytest.raises(BadInput, match="cannot be"):
            Asking(300, tokens, letters)
