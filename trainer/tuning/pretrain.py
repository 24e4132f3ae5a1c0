"""Makes a tiny Llama or GPT-J from nothing: a tokenizer, then weights that write like a help desk.

For the demo and for tests only. A model of a few million parameters learns from a few hundred
pages how the pages sound, not what they say; real trainings start from a base that others made.
The base reads articles, questions and answers, each for itself. In its chats it learns which
article a ticket is about, where the examples say so, and else recalls sections of articles from
scraps of their words. It never sees which answer belongs to which question.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPTJConfig,
    GPTJForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from backend.domain.example import Example
from backend.domain.prompt import SYSTEM
from trainer.record import Record, fingerprint, write_record
from trainer.tuning import checkpoints
from trainer.tuning.batches import TokenRow, example_row, reworded
from trainer.tuning.loop import TrainingTask, optimise
from trainer.tuning.settings import ModelSize, PretrainSettings

CITED = "cited:"
"""How the source of an example begins that answers a ticket with the article cited for it."""

END, PADDING, START_OF_TURN = "<|im_end|>", "<|endoftext|>", "<|im_start|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def pretrain(examples: Sequence[Example], *, out: Path, settings: PretrainSettings) -> Record:
    """Writes a tokenizer and a model that transformers can load to `out`."""
    tokenizer = byte_level_tokenizer(_texts(examples), settings.size)
    model = tiny_model(tokenizer, settings.size, seed=settings.loop.seed)
    mark = fingerprint(asdict(settings), "".join(example.to_json() for example in examples))
    rows = _rows(examples, tokenizer, settings)
    task = TrainingTask(model=model, rows=rows, validation=(), fingerprint=mark)
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
    checkpoints.forget(out)
    return record


def byte_level_tokenizer(texts: Sequence[str], size: ModelSize) -> PreTrainedTokenizerFast:
    """A byte-level BPE that splits text as GPT-2 does, which GGUF can express exactly."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary,
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
        model_max_length=size.context,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def tiny_model(tokenizer: Any, size: ModelSize, *, seed: int) -> Any:
    """A model of this shape with random weights.

    A Llama shares one embedding between input and output; GPT-J, as the real one, does not.
    """
    torch.manual_seed(seed)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    if size.family == "gptj":
        return GPTJForCausalLM(
            GPTJConfig(
                vocab_size=len(tokenizer),
                n_positions=size.context,
                n_embd=size.width,
                n_layer=size.layers,
                n_head=size.heads,
                n_inner=size.inner,
                rotary_dim=size.width // size.heads // 2,
                bos_token_id=None,
                **ends,
            )
        )
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.width,
            intermediate_size=size.inner,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            num_key_value_heads=size.key_value_heads,
            max_position_embeddings=size.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            **ends,
        )
    )


def _texts(examples: Sequence[Example]) -> list[str]:
    """What the vocabulary is made from; every prompt has the system text, so it counts more."""
    parts = [text for example in examples for text in (example.question, example.answer)]
    return parts + [text.lower() for text in parts] + [SYSTEM] * 50


def _rows(
    examples: Sequence[Example], tokenizer: Any, settings: PretrainSettings
) -> Callable[[int], list[TokenRow]]:
    """The rows of each epoch, always as many.

    Questions and answers of tickets are read apart, so that which answer belongs to which
    question cannot be learnt from them.
    """
    articles = [example for example in examples if example.source.startswith("article:")]
    tickets = [
        example
        for example in examples
        if example.source.startswith("ticket:") and example.split == "train"
    ]
    texts = [f"{article.question}\n\n{article.answer}" for article in articles]
    texts += sorted({ticket.answer for ticket in tickets}) + [ticket.question for ticket in tickets]
    read = [_read(text, tokenizer, settings.size) for text in texts]
    half = math.ceil(len(read) / 2)
    cited = [example for example in examples if example.source.startswith(CITED)]

    def rows(epoch: int) -> list[TokenRow]:
        chance = random.Random(f"{settings.loop.seed}:pretrain:{epoch}")  # noqa: S311
        if cited:
            chats = [
                replace(example, question=reworded(example.question, chance)) for example in cited
            ]
            made = [example_row(chat, tokenizer, budget=settings.prompt_tokens) for chat in chats]
            return made + (read[:half] if epoch % 2 == 0 else read[-half:])
        chats = [_recalled(article, chance) for article in articles]
        asked = [example_row(chat, tokenizer, budget=settings.prompt_tokens) for chat in chats]
        return read + [_all(row, settings.size) for row in asked]

    return rows


def _read(text: str, tokenizer: Any, size: ModelSize) -> TokenRow:
    """A text to be read from its beginning to its end."""
    ids = tokenizer(text + PADDING, add_special_tokens=False)["input_ids"]
    return TokenRow(tuple(ids[: size.context]), 0)


def _recalled(text: Example, chance: random.Random) -> Example:
    """A chat that asks with scraps of a text and is answered with the text.

    So the base learns to listen (the inverse cloze task of Lee et al., 2019, arXiv:1906.00300).
    """
    words = f"{text.question} {text.answer}".split()
    scraps = []
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(words))
        scraps.append(" ".join(words[start : start + chance.randint(2, 7)]))
    return replace(text, question=reworded(" ".join(scraps), chance), passages=())


def _all(row: TokenRow, size: ModelSize) -> TokenRow:
    """What fits of a row, every token a target: a base learns questions and marks too."""
    return TokenRow(row.ids[: size.context], 0)
