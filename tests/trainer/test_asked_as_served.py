"""What training and evaluation read of a ticket are the tokens that the runner serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, LlamaForCausalLM

from backend.domain.errors import UnusableModel
from backend.domain.example import Example, training_messages
from backend.runner.chat_template import ChatTemplate
from backend.runner.gguf_header import read_header
from backend.runner.model import Model
from tests.trainer.tiny_models import CONFIGS, byte_level_tokenizer, write_sentence_pieces
from trainer.chat_format import GgufChatFormat, TokenizerChatFormat, tokenizer_of
from trainer.gguf.convert import write_gguf
from trainer.gguf.logits import opened
from trainer.tuning.batches import chat_row, example_row
from trainer.tuning.pretrain import CHAT_TEMPLATE, END

EXTRA = "[EXTRA_7]"
EXAMPLE = Example(
    question=f"Where is my invoice? It says {EXTRA} and “ні”.",
    answer=f"Open Billing. Never write {EXTRA} or {END} or </s> there.",
    source="ticket:1",
)
ZEPHYR = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
THINKING = (  # the closing part of Qwen3's
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
MISTRAL = (  # as version 0.2 of the 7B
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ message['content'] + eos_token}}{% endif %}{% endfor %}"
)


def sentence_pieces(folder: Path, template: str | None, *, legacy: bool) -> Path:
    write_sentence_pieces(folder, legacy=legacy)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    if template:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return _saved(folder, tokenizer_of(folder))


def byte_level(folder: Path, template: str, *, begin: bool = False) -> Path:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = template
    if begin:
        tokenizer.bos_token = "<|endoftext|>"
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<|endoftext|> $A",
            special_tokens=[("<|endoftext|>", tokenizer.bos_token_id)],
        )
    folder.mkdir()
    return _saved(folder, tokenizer)


def _saved(folder: Path, tokenizer: Any) -> Path:
    tokenizer.add_special_tokens({"additional_special_tokens": [EXTRA]})
    tokenizer.save_pretrained(folder)
    config: LlamaConfig = CONFIGS["llama"]()
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


CASES: dict[str, Callable[[Path], Path]] = {
    "LLaMA 2, no template": lambda folder: sentence_pieces(folder, None, legacy=True),
    "no template, not legacy": lambda folder: sentence_pieces(folder, None, legacy=False),
    "TinyLlama": lambda folder: sentence_pieces(folder, ZEPHYR, legacy=True),
    "Mistral": lambda folder: sentence_pieces(folder, MISTRAL, legacy=True),
    "Mistral, not legacy": lambda folder: sentence_pieces(folder, MISTRAL, legacy=False),
    "ChatML": lambda folder: byte_level(folder, CHAT_TEMPLATE),
    "Qwen3": lambda folder: byte_level(folder, THINKING),
    "begins without a template's help": lambda folder: byte_level(folder, ZEPHYR, begin=True),
}


@pytest.fixture(scope="module", params=CASES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = CASES[request.param](tmp_path_factory.mktemp("served") / "model")
    write_gguf(made, made.with_suffix(".gguf"), name="served")
    return made


def test_a_row_begins_with_what_the_runner_serves(folder: Path) -> None:
    gguf = folder.with_suffix(".gguf")
    messages = training_messages(EXAMPLE, budget=300)[:-1]
    model = Model(gguf)
    template = ChatTemplate(
        read_header(gguf).chat_template,
        special_texts=model.special_texts(),
        begin_text=model.begin_text(),
        end_text=model.end_text(),
    )
    served = model.tokenise_prompt(template.render(tuple(messages)))
    model.close()

    tokenizer = tokenizer_of(folder)
    made = example_row(EXAMPLE, tokenizer, budget=300)

    assert list(made.ids[: made.answer_from]) == served
    assert tokenizer.convert_tokens_to_ids(EXTRA) not in made.ids


def test_a_row_ends_with_the_whole_answer(folder: Path) -> None:
    tokenizer = tokenizer_of(folder)

    made = example_row(EXAMPLE, tokenizer, budget=300)

    assert made.ids[-1] == tokenizer.eos_token_id
    assert made.ids.index(tokenizer.eos_token_id, made.answer_from) == len(made.ids) - 1
    answer = tokenizer.decode(made.ids[made.answer_from : -1])
    assert answer.replace(" ", "") == EXAMPLE.answer.replace(" ", "")


def test_an_evaluated_gguf_reads_what_its_model_was_trained_on(folder: Path) -> None:
    messages = training_messages(EXAMPLE, budget=300)

    with opened(folder.with_suffix(".gguf"), context=512) as loaded:
        evaluated = chat_row(messages, GgufChatFormat(loaded))

    assert evaluated == chat_row(messages, TokenizerChatFormat(tokenizer_of(folder)))


def test_a_template_that_cannot_write_our_messages_is_refused(tmp_path: Path) -> None:
    folder = byte_level(tmp_path / "model", "{{ raise_exception('Tools only') }}")

    with pytest.raises(UnusableModel, match=r"cannot write our messages: Tools only\. Put"):
        example_row(EXAMPLE, tokenizer_of(folder), budget=300)
