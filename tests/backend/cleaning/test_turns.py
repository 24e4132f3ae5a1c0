"""What a message does in a conversation."""

from __future__ import annotations

import pytest

from backend.cleaning.turns import is_pleasantry, is_question_back, is_satisfied

ANSWER = "Please open Settings, then press Reset."


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ana,\nwhich version do you use?",
        "Could you please send a screenshot? Thank you.",
        "Надішліть, будь ласка, знімок екрана.",
        "Уточните, пожалуйста, какая у вас версия?",
        "Hallo, können Sie uns bitte die Version nennen?",
    ],
)
def test_questions_back(text: str) -> None:
    assert is_question_back(text)


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        "Open Settings. Does that help? Then press Reset. Done.",
        "See https://help.example/reset. Did you try that?",
    ],
)
def test_answers_that_ask_too(text: str) -> None:
    assert not is_question_back(text)


@pytest.mark.parametrize(
    ("text", "satisfied"),
    [
        ("Thanks, it works now!", True),
        ("Дякую, все працює", True),
        ("Спасибо, помогло!", True),
        ("Danke, funktioniert", True),
        ("Thanks, but it still fails", False),
        ("Дякую, але не працює", False),
        ("Version 5", False),
        ("It works? Where?", False),
    ],
)
def test_satisfied_customers(text: str, satisfied: bool) -> None:
    assert is_satisfied(text) is satisfied


def test_pleasantries() -> None:
    assert is_pleasantry("You're welcome! Have a nice day.")
    assert is_pleasantry("Раді були допомогти!")
    assert not is_pleasantry(ANSWER)
