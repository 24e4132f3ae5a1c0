"""The texts of rubrics in further languages: keys, weights and versions are those of `rubric.py`.

A rating means the same in each language, so a translation is no new version. A further language is
a further mapping in `WORDS`; a test holds each against every rubric.
"""

# ruff: noqa: RUF001 - Cyrillic letters are meant
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backend.domain.rubric import Criterion, Rubric

ORIGINAL = "en"

Words = tuple[str, str, tuple[str, str, str, str, str]]  # label, question, anchors

_UKRAINIAN: Mapping[str, tuple[str, Mapping[str, Words]]] = {
    "quality": (
        "Чотири критерії",
        {
            "content": (
                "Зміст",
                "Чи відповідає на те, про що питали, правильно й повно?",
                (
                    "Неправильно або не про те",
                    "Здебільшого неправильно або повз головне питання",
                    "Правильно частково; треба додати факти чи кроки",
                    "Правильно; бракує дрібниці",
                    "Правильно й повно; можна надсилати як є",
                ),
            ),
            "grammar": (
                "Граматика",
                "Чи немає мовних помилок?",
                (
                    "Неможливо зрозуміти",
                    "Багато помилок",
                    "Є помилки, але зміст зрозумілий",
                    "Одна-дві описки",
                    "Без помилок",
                ),
            ),
            "structure": (
                "Структура",
                "Чи порядок зручний, з кроками й абзацами там, де вони допомагають?",
                (
                    "Жодного порядку",
                    "Важко стежити за думкою",
                    "Можна стежити, але із зусиллям",
                    "Зрозуміло",
                    "Зрозуміло, і легко так зробити",
                ),
            ),
            "style": (
                "Стиль",
                "Чи звучить як ввічлива, фахова відповідь цієї команди?",
                (
                    "Грубо або дивно",
                    "Холодно або недоречно",
                    "Прийнятно",
                    "Добре",
                    "Так, як написав би наш найкращий агент",
                ),
            ),
        },
    ),
    "relevance": (
        "Доречність (перша схема дослідження)",
        {
            "relevance": (
                "Доречність",
                "Наскільки відповідь пасує до запиту?",
                ("Зовсім ні", "Навряд чи", "Частково", "Добре", "Повністю"),
            )
        },
    ),
}
WORDS: Mapping[str, Mapping[str, tuple[str, Mapping[str, Words]]]] = {"uk": _UKRAINIAN}
LANGUAGES = (ORIGINAL, *WORDS)


def in_language(rubric: Rubric, language: str) -> Rubric:
    """The rubric with its texts in this language; as it is where it has none in it."""
    title, words = WORDS.get(language, {}).get(rubric.name, (rubric.title, {}))
    criteria = tuple(_translated(one, words.get(one.key)) for one in rubric.criteria)
    return replace(rubric, title=title, criteria=criteria)


def _translated(criterion: Criterion, words: Words | None) -> Criterion:
    if words is None:
        return criterion
    label, question, anchors = words
    return replace(criterion, label=label, question=question, anchors=anchors)
