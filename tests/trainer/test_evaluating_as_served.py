"""An evaluation asks as serving asks, and measures what a training would have taught."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from backend.domain.errors import BadInput, PromptTooLong
from backend.domain.example import Example
from backend.domain.model_card import ModelCard
from backend.domain.passage import Passage
from tests.openai_server import Reply as Served
from tests.openai_server import chat_server
from tests.trainer.tiny import SETTINGS
from tests.trainer.tiny_models import (
    CONFIGS,
    byte_level_tokenizer,
    write_model,
    write_sentence_pieces,
)
from trainer.chat_format import served_tokenizer
from trainer.cli import main
from trainer.evaluation.answers import answers, prompt_tokens
from trainer.evaluation.evaluate import Asking, Evaluation, evaluate
from trainer.evaluation.subjects import FolderSubject, GgufSubject, Subject, TimedReply
from trainer.gguf.convert import write_gguf
from trainer.record import card_path
from trainer.tuning.batches import batch, example_row
from trainer.tuning.loop import History
from trainer.tuning.optimiser import answer_loss
from trainer.tuning.progress import TrainingProgress

ASKING = Asking(prompt_tokens=300, answer_tokens=8)
EXAMPLE = Example(question="Where is my invoice?", answer="Open Billing.", source="ticket:1")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with LLaMA-2's kind of tokenizer and no chat template."""
    folder = write_sentence_pieces(tmp_path_factory.mktemp("plain") / "model", legacy=True)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    tokenizer = json.dumps(settings)
    kind: Any = AutoModelForCausalLM
    torch.manual_seed(3)
    kind.from_config(CONFIGS["llama"]()).half().float().save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(tokenizer)
    write_gguf(folder, folder.with_suffix(".gguf"), name="plain")
    return folder


def reply_of(subject: Subject, out: Path) -> TimedReply:
    out.mkdir()
    (answer,) = answers([subject], [EXAMPLE], out=out, asking=ASKING)
    return answer.reply


def test_the_loss_is_that_of_the_row_a_training_has(plain: Path, tmp_path: Path) -> None:
    made = example_row(EXAMPLE, served_tokenizer(plain), budget=300)
    model: Any = AutoModelForCausalLM.from_pretrained(plain)
    with torch.no_grad():
        expected = float(answer_loss(model, batch([made])))

    folder = reply_of(FolderSubject("folder", plain), tmp_path / "a")
    gguf = reply_of(GgufSubject("gguf", plain.with_suffix(".gguf")), tmp_path / "b")

    assert folder.loss == pytest.approx(expected, rel=1e-5)
    assert gguf.loss == pytest.approx(expected, rel=1e-3)
    assert folder.loss_tokens == gguf.loss_tokens == made.targets


def test_a_long_answer_costs_the_same_in_both_engines(plain: Path, tmp_path: Path) -> None:
    long = replace(EXAMPLE, answer=" ".join(["Open Billing, then Invoices."] * 6))

    both = (FolderSubject("folder", plain), GgufSubject("gguf", plain.with_suffix(".gguf")))
    one, other = answers(both, [long], out=tmp_path, asking=ASKING)

    assert one.reply.loss_tokens == other.reply.loss_tokens > 64
    assert other.reply.loss == pytest.approx(one.reply.loss, rel=1e-3)
    assert other.reply.text == one.reply.text


def test_penalties_that_a_model_brings_do_not_count(plain: Path, tmp_path: Path) -> None:
    penalised = shutil.copytree(plain, tmp_path / "penalised")
    settings = json.loads((penalised / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 1.9, "no_repeat_ngram_size": 2}
    (penalised / "generation_config.json").write_text(json.dumps(settings))
    asking = replace(ASKING, answer_tokens=40)

    both = (FolderSubject("plain", plain), FolderSubject("penalised", penalised))
    one, other = answers(both, [EXAMPLE], out=tmp_path, asking=asking)

    assert one.reply.text == other.reply.text != ""


def test_samples_of_a_training_know_no_penalties_either(plain: Path, tmp_path: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(plain)
    tokenizer = served_tokenizer(plain)
    settings = replace(SETTINGS, samples=1, sample_tokens=40)
    watch = TrainingProgress(model, tokenizer, [EXAMPLE], settings, tmp_path)
    row = {"step": 1, "loss": 1.0}

    watch(History([row], [row]))
    model.generation_config.repetition_penalty = 1.9
    watch(History([row], [row, {"step": 2, "loss": 1.0}]))

    samples = json.loads((tmp_path / "samples.json").read_text())
    assert samples["1"] == samples["2"] != [""]


def test_prompts_are_as_long_as_cards_and_records_say(
    merged: Path, plain: Path, tmp_path: Path
) -> None:
    gguf = tmp_path / "one.gguf"
    gguf.touch()
    tuned, bare = FolderSubject("tuned", merged), FolderSubject("bare", plain)
    card_path(gguf).write_text(ModelCard(name="a", sha256="", prompt_tokens=300).to_json())
    assert prompt_tokens([bare, tuned, GgufSubject("q8", gguf)], Asking()) == 300
    assert prompt_tokens([bare], Asking()) == 700

    card_path(gguf).write_text(ModelCard(name="a", sha256="", prompt_tokens=512).to_json())
    with pytest.raises(BadInput, match="tuned with 300, q8 with 512"):
        prompt_tokens([tuned, GgufSubject("q8", gguf)], Asking())
    assert prompt_tokens([tuned, GgufSubject("q8", gguf)], Asking(200)) == 200


def test_a_gguf_reads_as_many_passages_as_its_card_says(plain: Path, tmp_path: Path) -> None:
    """Two losses differ only if two prompts do."""
    passage = Passage("a", "article", "Invoices", "They are under Billing.")
    asked = [replace(EXAMPLE, passages=(passage,)), replace(EXAMPLE, source="ticket:2")]
    gguf = shutil.copyfile(plain.with_suffix(".gguf"), tmp_path / "one.gguf")
    losses = {}

    for passages in (-1, 0):
        card = ModelCard(name="a", sha256="", passages=passages)
        card_path(gguf).write_text(card.to_json())
        found = answers([GgufSubject("g", gguf)], asked, out=tmp_path, asking=ASKING)
        losses[passages] = [answer.reply.loss for answer in found]

    assert losses[-1][0] != losses[-1][1]
    assert losses[0][0] == losses[0][1] == losses[-1][1]


def test_what_does_not_fit_a_context_is_told_or_left_out(plain: Path, tmp_path: Path) -> None:
    wordy = replace(EXAMPLE, question="Where is it? " * 30)
    prompt = example_row(wordy, served_tokenizer(plain), budget=300).answer_from
    gguf = plain.with_suffix(".gguf")

    whole = Evaluation((GgufSubject("g", gguf, context=256),), (wordy,), tmp_path, ASKING)
    with pytest.raises(PromptTooLong, match=f"of {prompt} tokens leaves no room"):
        evaluate(whole)

    room = -(-(prompt + 1) // 256) * 256  # llama.cpp rounds a context up to this
    long = replace(wordy, answer="word " * room)
    subject = GgufSubject("g", gguf, context=room)
    assert "| loss |" not in evaluate(replace(whole, subjects=(subject,), examples=(long,)))


def test_memory_and_speed_are_those_of_serving(tmp_path: Path) -> None:
    """With the logits of all tokens kept, the prompt alone would take twice this memory."""
    words = 60_000
    config: LlamaConfig = CONFIGS["llama"]()
    config.vocab_size, config.hidden_size = words, 32
    model = write_model(tmp_path / "model", config, byte_level_tokenizer())
    write_gguf(model, tmp_path / "wide.gguf", name="wide")
    long = replace(EXAMPLE, question="abc " * 300)
    prompt = example_row(long, served_tokenizer(model), budget=300).answer_from

    subject = GgufSubject("wide", tmp_path / "wide.gguf", context=1024)
    (answer,) = answers([subject], [long], out=tmp_path, asking=ASKING)

    assert answer.memory < 4 * words * prompt


def test_each_key_goes_to_its_own_endpoint_only(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    monkeypatch.setenv("THEIR_KEY", "secret-2")
    ask = f"evaluate --examples {examples} --out {tmp_path} --split validation --limit 1"
    with (
        chat_server(lambda asked: Served(("a",))) as one,
        chat_server(lambda asked: Served(("b",))) as other,
    ):
        ask += f" --endpoint one={one.base_url}#m --endpoint other={other.base_url}#m"
        assert main([*ask.split(), "--key", "other=THEIR_KEY"]) == 0
        sent = [server.asked[0].headers["authorization"] for server in (one, other)]

    assert sent == ["Bearer none", "Bearer secret-2"]
    assert main([*ask.split(), "--key", "third=THEIR_KEY"]) != 0
    assert main([*ask.split(), "--key", "one=NO_SUCH_KEY"]) != 0
