"""Model cards: there and back, and refused when they are none or of another prompt format."""

from __future__ import annotations

import json

import pytest

from backend.domain import prompt
from backend.domain.errors import UnusableModel, WrongPromptFormat
from backend.domain.model_card import ModelCard, check_prompt_format

CARD = ModelCard(
    name="llama-2", sha256="ab" * 32, base="base-7b", prompt_format=prompt.FORMAT, metrics={"n": 1}
)


def test_a_card_comes_back_the_same() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert ModelCard.from_json(CARD.to_json().encode()) == CARD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"name": "m"}',
        '{"name": "m", "sha256": "ab", "colour": "red"}',
        '{"name": 5, "sha256": "ab"}',
        '{"name": " ", "sha256": "ab"}',
        '{"name": "m", "sha256": null}',
        '{"name": "m", "sha256": "ab", "prompt_tokens": "many"}',
        '{"name": "m", "sha256": "ab", "context_tokens": true}',
        '{"name": "m", "sha256": "ab", "metrics": [1]}',
    ],
)
def test_a_card_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UnusableModel, match="Export the model again"):
        ModelCard.from_json(text)


def test_a_card_that_is_no_text_is_refused() -> None:
    with pytest.raises(UnusableModel, match="cannot be read"):
        ModelCard.from_json(b'{"name": "\xff"}')


@pytest.mark.parametrize("written", ["", prompt.FORMAT])
def test_models_of_our_format_or_of_none_can_serve(written: str) -> None:
    check_prompt_format(ModelCard("m", "ab", prompt_format=written))


@pytest.mark.parametrize(("base", "instead"), [("base-7b", "base-7b"), ("", "its base")])
def test_a_model_of_another_format_is_refused_with_a_way_out(base: str, instead: str) -> None:
    card = ModelCard("m", "ab", base=base, prompt_format="suggest-answer/0")

    with pytest.raises(WrongPromptFormat) as error:
        check_prompt_format(card)

    assert f"writes format {prompt.FORMAT}" in str(error.value)
    assert str(error.value).endswith(f"or serve {instead}.")


def test_a_card_is_indented_json_for_people() -> None:
    assert json.loads(CARD.to_json())["metrics"] == {"n": 1}
    assert '\n  "name"' in CARD.to_json()
