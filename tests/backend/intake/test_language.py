"""Languages: uk and ru told apart, short and technical texts not guessed at."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from backend.intake.language import language_of
from tests.shared_sets import SHARED, on_shared_sets


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Не можу увійти до кабінету", "uk"),
        ("Не могу войти в кабинет, пишет что пароль неверный", "ru"),
        ("Де мій рахунок?", "uk"),
        ("Где мой счёт?", "ru"),
        ("How do I reset my password?", "en"),
        ("Wie kann ich mein Passwort zurücksetzen?", "de"),
        ("¿Cómo puedo cambiar mi contraseña?", "es"),
        ("OK", ""),
        ("https://x.example/a 115.6.0 0x8004", ""),
        ("", ""),
    ],
)
def test_languages_are_told(text: str, language: str) -> None:
    assert language_of(text) == language


def test_the_answer_tells_where_the_question_does_not() -> None:
    assert language_of("Error 0x8004?", "Будь ласка, перезапустіть програму.") == "uk"


@on_shared_sets
def test_real_questions_in_eight_languages_are_told() -> None:
    right = Counter[str]()
    all_ = Counter[str]()
    for name in ("tickets_other_languages", "tickets_cyrillic"):
        for line in (SHARED / "multilingual" / f"{name}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            wanted = row["lang"].partition("-")[0]
            all_[wanted] += 1
            right[wanted] += language_of(row["question"], row["subject"]) == wanted

    assert sum(right.values()) >= 0.96 * sum(all_.values())
    assert right["uk"] == all_["uk"]


@on_shared_sets
def test_parallel_questions_in_ukrainian_and_russian_are_told_apart() -> None:
    lines = (SHARED / "multilingual" / "faq_uk_ru_en.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]

    told = Counter(
        (language, language_of(row["question"][language], row["answer"][language]))
        for row in rows
        for language in ("uk", "ru", "en")
    )

    assert told["uk", "ru"] == told["ru", "uk"] == 0
    assert sum(count for (wanted, got), count in told.items() if wanted == got) >= 142
