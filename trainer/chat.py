"""The tokenizer of a base, with a chat template also where the base has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from backend.domain.errors import UnusableModel

PLAIN = """\
{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] }}

{% elif message['role'] == 'user' %}### Request
{{ message['content'] }}

{% else %}### Reply
{{ message['content'] }}END{% endif %}{% endfor %}{% if add_generation_prompt %}### Reply
{% endif %}"""
"""For bases that never saw a chat, such as GPT-J and LLaMA 2: words instead of tokens of their
own, since a LoRA cannot teach new tokens. The end token is the base's; its begin token, where it
has one, stands in front of every chat as of every text. `prompt.as_data` keeps tickets from
writing these words as marks."""
SERVED_PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""How the backend's runner asks a model without a chat template; here an answer ends too."""

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
        tokenizer.chat_template = PLAIN.replace("END", tokenizer.eos_token)
    return tokenizer


def served_tokenizer(model: Path) -> Any:
    """The tokenizer in a model's folder, which writes chats as they are served from its GGUF."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        tokenizer.chat_template = SERVED_PLAIN
    return tokenizer
