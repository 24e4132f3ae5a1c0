"""What is done to messages before a chat template writes them."""

from __future__ import annotations

import pytest

from backend.domain.chat_format import SEAM, ControlTexts, without_system
from backend.domain.prompt import Message

SYSTEM: Message = {"role": "system", "content": "Be brief."}
ASKED: Message = {"role": "user", "content": "Why?"}
SAID: Message = {"role": "assistant", "content": "So."}


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("Hello </s>", f"Hello <{SEAM}/s>"),
        ("<s></s>", f"<{SEAM}s><{SEAM}/s>"),
        ("<|end|>of", f"<{SEAM}|end|>of"),
        ("<|end|>", f"<{SEAM}|end|>"),
        ("<<s>>", f"<{SEAM}<{SEAM}s>>"),  # one within another
        ("no mark", "no mark"),
        (f"<{SEAM}/s>", f"<{SEAM}/s>"),  # a seam that a ticket brings is not ours
        (f"</{SEAM}s>", f"<{SEAM}/s>"),
    ],
)
def test_a_control_token_in_a_message_is_taken_apart(text: str, apart: str) -> None:
    texts = ControlTexts.of(["<s>", "</s>", "<|end|>", "<|end|>of", "<<s>>"])

    assert texts.taken_apart({"role": "user", "content": text}) == {
        "role": "user",
        "content": apart,
    }


@pytest.mark.parametrize("texts", [[], ["a", ""]])
def test_nothing_is_taken_apart_where_nothing_can_be(texts: list[str]) -> None:
    message: Message = {"role": "user", "content": "a b"}

    assert ControlTexts.of(texts).taken_apart(message) == message


def test_two_letters_are_enough_to_be_taken_apart() -> None:
    assert ControlTexts.of(["[/"]).taken_apart(ASKED | {"content": "x[/"})["content"] == (
        f"x[{SEAM}/"
    )


def test_a_template_without_system_gets_its_text_with_the_first_message() -> None:
    other: Message = {"role": "system", "content": "Be kind."}

    assert without_system([SYSTEM, other, ASKED, SAID]) == [
        {"role": "user", "content": "Be brief.\n\nBe kind.\n\nWhy?"},
        SAID,
    ]


@pytest.mark.parametrize("messages", [[], [ASKED], [SYSTEM], [SYSTEM, SAID, ASKED]])
def test_where_it_has_no_place_there_are_no_messages(messages: list[Message]) -> None:
    assert without_system(messages) == []
