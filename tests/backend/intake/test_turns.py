"""What a message does in a conversation."""

from __future__ import annotations

import pytest

from backend.intake.pairs import is_pleasantry, is_question_back, is_satisfied, points_elsewhere

ANSWER = "Please open Settings, then press Reset."


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ana,\nwhich version do you use?",
        "Could you please send a screenshot? Thank you.",
        "Надішліть, будь ласка, знімок екрана.",
        "Уточните, пожалуйста, какая у вас версия?",
        "Hallo, können Sie uns bitte die Version nennen?",
        "Could you possibly do a screenshot of what you see? I cannot duplicate that.",
        "Sorry for the trouble. Could you please send a screenshot? Thank you.",
        "Please post your Troubleshooting Information. At the top right, click the menu button, "
        "then select Help. Press Copy text to clipboard and paste the information.",
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
        "It works here. Have you tried restarting in safe mode from the menu?",
        "Android? Settings, Applications, Thunderbird, Permissions, allow permission.",
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


@pytest.mark.parametrize(
    "text",
    [
        "This is a duplicate.",
        "Duplicated here https://support.example/questions/1512045",
        "Dup. of https://support.example/questions/1462569.",
        "Closing this duplicate of https://support.example/questions/1439588",
        "Please continue with the original topic at https://support.example/questions/1457090",
        "I am locking this redundant topic.",
        "Це дублікат вашого попереднього звернення.",
    ],
)
def test_answers_that_point_to_another_ticket(text: str) -> None:
    assert points_elsewhere(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thunderbird can remove duplicate messages with an add-on.",
        "To merge two address books, open both.",
        ANSWER,
    ],
)
def test_answers_about_duplicates(text: str) -> None:
    assert not points_elsewhere(text)
