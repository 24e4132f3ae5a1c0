"""The tokenizer of a base, with a chat template also where the base has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from backend.domain.errors import UnusableModel

PLAIN = """\
{% for message in messages %}{% if message['role'] == 'system' %}BEGIN{{ message['content'] }}

{% elif message['role'] == 'user' %}### Request
{{ message['content'] }}

{% else %}### Reply
{{ message['content'] }}END{% endif %}{% endfor %}{% if add_generation_prompt %}### Reply
{% endif %}"""
"""For bases that never saw a chat, such as GPT-J and LLaMA 2: words instead of tokens of their
own, since a LoRA cannot teach new tokens. The end token is the base's."""


TEMPLATE = "chat_template.jinja"


def save_template(base: Path, tokenizer: Any, folder: Path) -> None:
    """Writes the chat template to `folder` if it is not the base's own.

    Nothing else of the tokenizer: the base's files are the exact ones, and merge takes those.
    """
    if not AutoTokenizer.from_pretrained(base).chat_template:
        (folder / TEMPLATE).write_text(tokenizer.chat_template, encoding="utf-8")


def tokenizer_of(base: Path) -> Any:
    """The tokenizer in a model's folder; one without a chat template gets `PLAIN`.

    Raises UnusableModel for a folder without a tokenizer, or one that has no token for the end.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise UnusableModel(
            f"{base} has no tokenizer that transformers can load. Download the whole model into "
            "this folder: weights, config.json and tokenizer files."
        ) from error
    if not tokenizer.eos_token:
        raise UnusableModel(
            f"The tokenizer in {base} has no end token, so no reply could ever end. "
            "Set eos_token in its tokenizer_config.json."
        )
    if not tokenizer.chat_template:
        first = tokenizer("a")["input_ids"][0]
        begin = tokenizer.bos_token if first == tokenizer.bos_token_id else ""
        tokenizer.chat_template = PLAIN.replace("BEGIN", begin).replace("END", tokenizer.eos_token)
    return tokenizer
