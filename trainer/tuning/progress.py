"""What people look at while a model trains: the curves as a picture, and some answers to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backend.domain.example import Example, training_messages
from backend.system.files import write_whole
from trainer.chat_format import TokenizerChatFormat, prompt_text
from trainer.tuning.distributed import ALONE, ProcessGroup
from trainer.tuning.loop import History
from trainer.tuning.optimiser import precision
from trainer.tuning.settings import TrainingSettings

CURVES, SAMPLES, SAMPLES_TEXT = "curves.png", "samples.json", "samples.md"
_SMOOTHED = 20


@dataclass(frozen=True)
class TrainingProgress:
    """Draws and writes into `folder` after each measurement."""

    model: Any
    tokenizer: Any
    examples: Sequence[Example]
    settings: TrainingSettings
    folder: Path
    group: ProcessGroup = ALONE

    def __call__(self, history: History) -> None:
        """Answers the examples with the weights of now and draws the curves anew."""
        step = int(history.validation[-1]["step"])
        replies = [
            self._reply(example) for example in self._asked
        ]  # every process has to take part
        if self.group.leads:
            draw(history, self.folder / CURVES)
            self._write({**self._written(before=step), str(step): replies})

    @property
    def _asked(self) -> Sequence[Example]:
        return self.examples[: self.settings.samples]

    def _reply(self, example: Example) -> str:
        messages = training_messages(example, budget=self.settings.prompt_tokens)[:-1]
        chat_format = TokenizerChatFormat(self.tokenizer)
        ids = torch.tensor([chat_format.ids(prompt_text(messages, chat_format))])
        self.model.eval()
        with torch.no_grad(), precision(self.model, self.settings.loop):
            made = self.model.generate(
                input_ids=ids.to(self.model.device),
                attention_mask=torch.ones_like(ids).to(self.model.device),
                max_new_tokens=self.settings.sample_tokens,
                do_sample=False,
                repetition_penalty=1.0,
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.eos_token_id,
            )
        reply: str = self.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        return reply.strip()

    def _written(self, *, before: int) -> dict[str, list[str]]:
        """The answers of earlier measurements; those after a resumed step are written again.

        They are for people only, so a file that cannot be read costs them and not the training.
        """
        path = self.folder / SAMPLES
        try:
            found = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return {step: replies for step, replies in found.items() if int(step) < before}

    def _write(self, samples: dict[str, list[str]]) -> None:
        text = json.dumps(samples, ensure_ascii=False, indent=1) + "\n"
        write_whole(self.folder / SAMPLES, text)
        parts = [_section(example, place, samples) for place, example in enumerate(self._asked)]
        write_whole(self.folder / SAMPLES_TEXT, "\n".join(parts))


def draw(history: History, path: Path) -> None:
    """Training and validation loss over the steps, in nats a token, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps = [step["step"] for step in history.steps]
    losses = [step["loss"] for step in history.steps]
    axes.plot(steps, losses, color="#b8c4d6", linewidth=0.8, label="a step")
    axes.plot(steps, _smooth(losses), color="#3566a8", label=f"mean of {_SMOOTHED} steps")
    measured = history.validation
    places = (
        [measurement["step"] for measurement in measured],
        [measurement["loss"] for measurement in measured],
    )
    axes.plot(*places, "o-", color="#c2571a", label="validation")
    if history.best:
        best = history.best
        axes.annotate(
            f"{best['loss']:.3f} at step {best['step']:.0f}",
            (best["step"], best["loss"]),
            xytext=(0, 10),
            textcoords="offset points",
            ha="right" if 2 * best["step"] > measured[-1]["step"] else "left",
        )
    axes.set(xlabel="step", ylabel="loss, nats a token", title="Loss on answers")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend()
    figure.savefig(path, dpi=120)


def _smooth(values: Sequence[float]) -> list[float]:
    """Each value's mean with those before it."""
    windows = (values[max(0, end - _SMOOTHED) : end] for end in range(1, len(values) + 1))
    return [sum(window) / len(window) for window in windows]


def _section(example: Example, place: int, samples: dict[str, list[str]]) -> str:
    lines = [f"## {example.source}", "", _quoted(example.question), ""]
    for step, replies in samples.items():
        lines += [f"**Step {step}**", "", _quoted(replies[place]), ""]
    return "\n".join([*lines, "**The team sent**", "", _quoted(example.answer), ""])


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines() or [""])
