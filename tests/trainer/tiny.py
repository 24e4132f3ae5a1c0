"""A help desk of a few pages and a model of a few thousand weights, for tests of the trainer."""

from __future__ import annotations

import json
from pathlib import Path

from trainer.tuning.settings import LoopSettings, ModelSize, TrainingSettings

SIZE = ModelSize(
    vocabulary=600, width=64, inner=128, layers=2, heads=4, key_value_heads=2, context=512
)
LOOP = LoopSettings(epochs=2, batch_rows=4, learning_rate=5e-3, compute="float32", threads=1)
SETTINGS = TrainingSettings(
    preset="test", loop=LOOP, rank=4, alpha=8, row_tokens=480, prompt_tokens=300
)
_PROBLEMS = {
    "password": ("I cannot log in", "Click Forgot password and open the link within an hour."),
    "invoice": ("Where is my invoice", "Open Billing, then Invoices, and click Download."),
    "import": ("The import of my list fails", "Save the list as CSV with a column called email."),
    "пароль": ("Не можу увійти до кабінету", "Натисніть «Забули пароль?» та відкрийте лист."),  # noqa: RUF001
}
_SINCE = (
    "It began on Monday after lunch.",
    "My laptop is new.",
    "I tried Firefox and Chrome.",
    "Yesterday evening everything went well.",
    "We pay for ten seats.",
    "A red line appears under the button.",
    "Nobody answered the telephone.",
    "Since we moved, this comes back every week.",
)
_ALSO = (
    "Two of my colleagues saw it too.",
    "The old one had no such trouble.",
    "Even my telephone shows the same.",
    "Now the whole team waits.",
    "Only the warehouse is hit.",
    "Then the page turns white.",
    "Your last letter did not help.",
    "What else could I do?",
)


def write_corpus(folder: Path) -> tuple[Path, Path]:
    """Writes articles and tickets and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    articles = [
        {
            "id": f"about-{topic}",
            "title": f"All about {topic}",
            "body": f"You can do it yourself.\n\n## Steps\n{answer}\n\n## Still stuck?\nWrite.",
            "language": "uk" if topic == "пароль" else "en",
            "url": f"https://help.example/{topic}",
        }
        for topic, (_, answer) in _PROBLEMS.items()
    ]
    tickets = [
        {
            "id": f"t-{number}-{topic}",
            "created": f"2026-0{1 + number % 9}-11",
            "subject": question,
            "question": f"Hello, {question.lower()}. {_SINCE[number]} {_ALSO[number - place]}",
            "answer": f"Hello! {answer}",
            "language": "uk" if topic == "пароль" else "en",
        }
        for number in range(8)
        for place, (topic, (question, answer)) in enumerate(_PROBLEMS.items())
    ]
    return _lines(folder / "articles.jsonl", articles), _lines(folder / "tickets.jsonl", tickets)


def _lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path
