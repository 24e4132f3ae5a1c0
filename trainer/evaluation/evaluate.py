"""Fifth step: subjects side by side on the golden tickets, through the prompt that is served.

Writes answers, table, picture and JSON to a folder, and the figures of each GGUF into its card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.domain.prompt import FORMAT
from backend.system.files import write_whole
from trainer.evaluation.answers import Asking, answers, prompt_tokens
from trainer.evaluation.comparison import Figures, Interval, figures
from trainer.evaluation.report import picture, table
from trainer.evaluation.subjects import GgufSubject, Subject
from trainer.gguf.model_card import card_of
from trainer.record import card_path, fingerprint

__all__ = ["Asking", "Evaluation", "evaluate"]

TABLE, PICTURE, FIGURES = "evaluation.md", "evaluation.{kind}", "evaluation.json"


@dataclass(frozen=True)
class Evaluation:
    """Which subjects are compared on which tickets. The first subject is the baseline."""

    subjects: tuple[Subject, ...]
    examples: tuple[Example, ...]
    out: Path
    asking: Asking = field(default_factory=Asking)

    def __post_init__(self) -> None:
        names = [subject.name for subject in self.subjects]
        if not names or len(set(names)) < len(names):
            raise BadInput(
                "An evaluation needs subjects, each with a name of its own: --model NAME=DIR, "
                f"--gguf NAME=FILE, --endpoint NAME=URL. Given: {', '.join(names) or 'none'}."
            )
        if not self.examples:
            raise BadInput(
                "No ticket is in this split. `prepare --golden-share` puts some aside; --split "
                "names another."
            )


def evaluate(wanted: Evaluation) -> str:
    """Asks what has not been asked yet and returns the table."""
    wanted.out.mkdir(parents=True, exist_ok=True)
    budget = prompt_tokens(wanted.subjects, wanted.asking)
    asking = replace(wanted.asking, prompt_tokens=budget)
    found = answers(wanted.subjects, wanted.examples, out=wanted.out, asking=asking)
    compared = figures(wanted.examples, found)
    text = table(compared, tickets=len(wanted.examples))
    if wanted.asking.letters:
        text = f"All answers have {wanted.asking.letters} letters: nobody may end.\n\n{text}"
    write_whole(wanted.out / TABLE, text)
    for kind in ("png", "svg"):
        picture(compared, wanted.out / PICTURE.format(kind=kind))
    whole = {
        "tickets": len(wanted.examples),
        "prompt_format": FORMAT,
        "prompt_tokens": budget,
        "dataset": _dataset(wanted),
    }
    rows = [subject_figures.to_row() for subject_figures in compared]
    write_whole(wanted.out / FIGURES, json.dumps({**whole, "subjects": rows}, indent=1) + "\n")
    for subject, subject_figures in zip(wanted.subjects, compared, strict=True):
        if isinstance(subject, GgufSubject) and not wanted.asking.letters:
            _into_card(subject.path, {**whole, **_short(subject_figures, compared)})
    return text


def _dataset(wanted: Evaluation) -> str:
    return fingerprint(*(example.to_json() for example in wanted.examples))


def _short(figures: Figures, compared: Sequence[Figures]) -> dict[str, Any]:
    """The figures as a card shows them: value, then the bounds."""
    row: dict[str, Any] = {name: _rounded(mean) for name, mean in figures.means.items()}
    if figures.differences:
        differences = {name: _rounded(found) for name, found in figures.differences.items()}
        row[f"difference to {compared[0].subject}"] = differences
    return row


def _rounded(found: Interval) -> list[float]:
    return [float(f"{value:.4g}") for value in (found.value, found.low, found.high)]


def _into_card(gguf: Path, evaluation: dict[str, Any]) -> None:
    """Adds the figures to the card beside the GGUF, if it has one."""
    card = card_of(gguf)
    if card:
        card = replace(card, metrics={**card.metrics, "evaluation": evaluation})
        write_whole(card_path(gguf), card.to_json())
