"""Makes a tiny Llama from nothing: a tokenizer, then weights that write like a help desk.

For the demo and for tests only. A model of a few million parameters learns from a few hundred
pages how the pages sound, not what they say; real trainings start from a base that others made.
The base learns the team's sentences but not when to say which: in its chats, what stands after a
question is an answer drawn by chance from all that were ever sent.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from backend.domain.example import Example
from backend.domain.prompt import SYSTEM
from trainer.loop import Task, forget_checkpoint, optimise
from trainer.record import Record, fingerprint, write_record
from trainer.rows import Row, row
from trainer.settings import LoopSettings
from trainer.wordings import reworded

END, PADDING, START_OF_TURN = "<|im_end|>", "<|endoftext|>", "<|im_start|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """The size of a tiny Llama; the default has about 4.5 million parameters."""

    vocabulary: int = 4096
    width: int = 256
    inner: int = 768
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 4
    context: int = 1024


@dataclass(frozen=True)
class PretrainSettings:
    """How the tiny base is made. `prompt_tokens` is the budget of its chats, as in tuning."""

    shape: Shape = field(default_factory=Shape)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(epochs=6, learning_rate=3e-3))
    prompt_tokens: int = 512


def pretrain(examples: Sequence[Example], *, out: Path, settings: PretrainSettings) -> Record:
    """Writes a tokenizer and a model that transformers can load to `out`.

    Articles among the examples are read as pages. Tickets become chats with an answer by chance,
    so that which answer belongs to which question cannot be learnt from them.
    """
    tokenizer = byte_level_tokenizer(_texts(examples), settings.shape)
    model = tiny_llama(tokenizer, settings.shape, seed=settings.loop.seed)
    articles = [one for one in examples if one.source.startswith("article:")]
    questions = [
        one for one in examples if one.source.startswith("ticket:") and one.split == "train"
    ]

    answers = sorted({one.answer for one in questions})

    def rows(epoch: int) -> list[Row]:
        chance = random.Random(f"{settings.loop.seed}:pretrain:{epoch}")  # noqa: S311
        pages = [_page(one, tokenizer, settings.shape) for one in articles]
        chats = [_chat(one, questions, answers, chance) for one in questions]
        return pages + [_all(row(chat, tokenizer, budget=settings.prompt_tokens)) for chat in chats]

    mark = fingerprint(asdict(settings), "".join(one.to_json() for one in examples))
    task = Task(model=model, rows=rows, validation=(), fingerprint=mark)
    history = optimise(task, settings.loop, folder=out)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = Record(
        step="pretrain",
        base="",
        method="pretrained from nothing",
        prompt_tokens=settings.prompt_tokens,
        dataset_sha256=mark,
        settings=asdict(settings),
        history=asdict(history),
    )
    write_record(record, out)
    forget_checkpoint(out)
    return record


def byte_level_tokenizer(texts: Sequence[str], shape: Shape) -> PreTrainedTokenizerFast:
    """A byte-level BPE that splits text as GPT-2 does, which GGUF can express exactly."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=shape.vocabulary,
        special_tokens=[PADDING, START_OF_TURN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call,unused-ignore]
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PADDING,
        additional_special_tokens=[START_OF_TURN],
        model_max_length=shape.context,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def tiny_llama(tokenizer: Any, shape: Shape, *, seed: int) -> Any:
    """A Llama of this shape with random weights; input and output share one embedding."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def _texts(examples: Sequence[Example]) -> list[str]:
    """What the vocabulary is made from; every prompt has the system text, so it counts more."""
    parts = [text for one in examples for text in (one.question, one.answer)]
    return parts + [text.lower() for text in parts] + [SYSTEM] * 50


def _page(article: Example, tokenizer: Any, shape: Shape) -> Row:
    text = f"{article.question}\n\n{article.answer}{PADDING}"
    return Row(tuple(tokenizer(text, add_special_tokens=False)["input_ids"][: shape.context]), 0)


def _chat(
    ticket: Example, others: Sequence[Example], answers: Sequence[str], chance: random.Random
) -> Example:
    """A ticket with an answer by chance, some with the sources of another ticket."""
    passages = chance.choice(others).passages if chance.random() < 0.4 else ()
    return Example(
        question=reworded(ticket.question, chance),
        answer=chance.choice(answers),
        source=ticket.source,
        language=ticket.language,
        passages=passages,
    )


def _all(one: Row) -> Row:
    """The row with every token a target: a base learns questions and marks too."""
    return Row(one.ids, 0)
