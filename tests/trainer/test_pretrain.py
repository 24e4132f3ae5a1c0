"""The tiny base that the demo and these tests start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.trainer.tiny import LOOP, SIZE
from trainer.data.prepare import read_examples
from trainer.record import read_record
from trainer.tuning.pretrain import CITED, pretrain
from trainer.tuning.settings import PretrainSettings


def test_the_base_can_be_loaded_and_has_learnt_something(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    record = read_record(base)

    assert model.config.num_key_value_heads == SIZE.key_value_heads
    assert record is not None
    assert record.prompt_format == ""
    assert record.history["steps"][-1]["loss"] < record.history["steps"][0]["loss"]


def test_which_answer_belongs_to_which_question_is_not_seen(tmp_path: Path, examples: Path) -> None:
    known = read_examples(examples)
    tickets = [example for example in known if example.source.startswith("ticket:")]
    others = [example for example in known if not example.source.startswith("ticket:")]
    answers = [ticket.answer for ticket in tickets]
    moved = [
        replace(ticket, answer=answer)
        for ticket, answer in zip(tickets, answers[1:] + answers[:1], strict=True)
    ]

    losses = []
    for name, rows in (("plain", tickets + others), ("moved", moved + others)):
        settings = PretrainSettings(size=SIZE, loop=LOOP, prompt_tokens=300)
        record = pretrain(rows, out=tmp_path / name, settings=settings)
        losses.append([step["loss"] for step in record.history["steps"]])

    assert losses[0] == losses[1]


def test_text_survives_the_tokenizer(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    text = "  Їжак, 'quoted' — line\n\n\tbreak  and 1204 € 🙂"

    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_tickets_with_the_article_cited_for_them_are_learnt_in_every_epoch(
    tmp_path: Path, examples: Path
) -> None:
    known = read_examples(examples)
    cited = [
        replace(example, source=f"{CITED}{example.source}")
        for example in known
        if example.source.startswith("ticket:")
    ]
    settings = PretrainSettings(size=SIZE, loop=replace(LOOP, epochs=3), prompt_tokens=300)

    record = pretrain([*known, *cited], out=tmp_path, settings=settings)

    losses = [step["loss"] for step in record.history["steps"]]
    assert len(losses) % 3 == 0
    assert losses[-1] < losses[0]


def test_what_is_longer_than_the_context_is_read_as_far_as_it_fits(
    tmp_path: Path, examples: Path
) -> None:
    """GPT-J has no positions beyond its context."""
    known = read_examples(examples)
    long = next(example for example in known if example.source.startswith("article:"))
    long = replace(long, answer=" ".join([long.answer] * 40))
    settings = PretrainSettings(size=replace(SIZE, family="gptj"), loop=LOOP, prompt_tokens=300)

    record = pretrain([long, *known], out=tmp_path / "base", settings=settings)

    assert record.history["steps"]
