"""Training rows: there and back as JSON, and the same prompt as is served."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import BadInput
from backend.domain.example import Example, training_messages
from backend.domain.passage import Passage
from backend.domain.prompt import render

PASSAGE = Passage(key="article:1#1", kind="article", title="T", text="Click it.", score=0.5)
EXAMPLE = Example(
    question="Wie geht's?\n\u2028x", answer="Gut 🎈", source="ticket:1", passages=(PASSAGE,)
)
ROW: dict[str, Any] = {"question": "q", "answer": "a", "source": "s"}


def test_an_example_is_one_line_and_comes_back_the_same() -> None:
    line = EXAMPLE.to_json()

    assert "\n" not in line
    assert "Gut 🎈" in line  # as people read it
    assert Example.from_json(line) == EXAMPLE


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(question=WORDS, answer=WORDS, source=WORDS)
def test_any_text_comes_back_the_same(question: str, answer: str, source: str) -> None:
    example = Example(question=question, answer=answer, source=source)

    assert Example.from_json(example.to_json()) == example


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "null",
        "5",
        "[]",
        '["question"]',
        '"question"',
        "{}",
        json.dumps({**ROW, "answer": " "}),
        json.dumps({**ROW, "question": 5}),
        json.dumps({**ROW, "source": None}),
        json.dumps({**ROW, "split": "test"}),
        json.dumps({**ROW, "surprise": 1}),
        json.dumps({**ROW, "passages": None}),
        json.dumps({**ROW, "passages": ["article:1"]}),
        json.dumps({**ROW, "passages": [{"key": "k"}]}),
    ],
)
def test_a_line_that_is_no_example_is_refused(line: str) -> None:
    with pytest.raises(BadInput, match=r"no example|needs a|no split"):
        Example.from_json(line)


def test_a_model_is_trained_on_the_prompt_that_is_served() -> None:
    messages = training_messages(EXAMPLE, budget=300)

    assert messages[:-1] == render(EXAMPLE.question, [PASSAGE], budget=300).messages
    assert messages[-1] == {"role": "assistant", "content": "Gut 🎈"}
