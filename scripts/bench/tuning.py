"""Base against tuned on real tickets: a tiny base that read a shop's texts, tuned on a help desk's.

    python -m scripts.bench tuning --family llama --work DIR --data ../shared/data

Every step is the command that people use: prepare and pretrain on `retail`, prepare and train on
`helpdesk`, merge, export of both models (compared with transformers on the way), evaluate on the
golden tickets, which are the newest. The vocabulary is made of the shop's texts too, so the base
has seen nothing of the help desk. The same command goes on where it was stopped. Printed are two
tables with the paired bootstrap's intervals, and what each step took. In the first each model
ends where it likes; chrF goes mostly by length there (see `trainer/LOG.md`), so in the second
both write equally many letters, as the middle one of the human answers has. 1 if the tuned model
does not win with the whole interval in loss, and in chrF at one length.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BASE, TUNED = "base", "tuned"
STEPS = "steps.json"
PROMPT = 300
PLAIN, EQUAL = "evaluation", "evaluation_at_one_length"
LETTERS = 350


@dataclass(frozen=True)
class Plan:
    """What is tuned and for how long."""

    family: str
    work: Path
    data: Path
    base_epochs: int
    epochs: int
    threads: int

    def steps(self) -> list[tuple[str, str]]:
        """Name and command of each step; `{}` stands for the working folder."""
        retail, desk = self.data / "retail", self.data / "helpdesk"
        asked = "--golden-share {} --validation-share {} --passage-share 0 --articles-as {}"
        loop = f"--threads {self.threads}"
        return [
            (
                "prepare retail",
                f"prepare --articles {_quoted(retail / 'abcd_agent_guidelines.jsonl')} "
                f"--tickets {_quoted(retail / 'bitext_pairs.jsonl')} --out {{}}/retail "
                f"{asked.format(0, 0, 'examples')} --near-duplicates together",
            ),
            (
                "prepare helpdesk",
                f"prepare --tickets {_quoted(desk / 'tickets.jsonl')} --out {{}}/helpdesk "
                + asked.format(0.05, 0.03, "passages"),
            ),
            (
                "pretrain",
                f"pretrain --family {self.family} --examples {{}}/retail/examples.jsonl "
                f"--out {{}}/base --epochs {self.base_epochs} --vocabulary 1024 {loop}",
            ),
            (
                "train",
                "train --base {}/base --examples {}/helpdesk/examples.jsonl --out {}/adapter "
                f"--preset cpu-tiny --epochs {self.epochs} --batch-rows 8 --measurements 2 "
                f"--prompt-tokens {PROMPT} --learning-rate 3e-3 {loop}",
            ),
            ("merge", "merge --base {}/base --adapter {}/adapter --out {}/merged"),
            ("export base", f"{_export(BASE)} --model {{}}/base"),
            ("export tuned", f"{_export(TUNED)} --model {{}}/merged"),
            ("evaluate", _evaluate(PLAIN)),
            ("evaluate at one length", f"{_evaluate(EQUAL)} --letters {LETTERS}"),
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what has not been run and prints; 1 if the tuned model does not win clearly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--family", choices=("llama", "gptj"), default="llama")
    parser.add_argument("--work", type=Path, required=True, help="folder to work in")
    parser.add_argument("--data", type=Path, required=True, help="has retail/ and helpdesk/")
    parser.add_argument("--base-epochs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    given = Plan(**vars(parser.parse_args(arguments)))
    given.work.mkdir(parents=True, exist_ok=True)
    for name, command in given.steps():
        _run(given.work, name, command.replace("{}", _quoted(given.work)))
    steps = json.loads((given.work / STEPS).read_text("utf-8"))
    print(given.family)
    for folder in (PLAIN, EQUAL):
        print((given.work / folder / "evaluation.md").read_text("utf-8"))
    print(", ".join(f"{name} {step['seconds']:.0f} s" for name, step in steps.items()))
    loss = _difference(given.work / PLAIN, "loss")
    chrf = _difference(given.work / EQUAL, "chrF")
    return 0 if loss["high"] < 0 < chrf["low"] else 1


def _export(name: str) -> str:
    """Of a model in float16: nothing but the tuning is between the two."""
    return (
        f"export --out {{}}/{name}.gguf --quantisation F16 --name {name} "
        f"--examples {{}}/helpdesk/examples.jsonl"
    )


def _evaluate(folder: str) -> str:
    return (
        f"evaluate --examples {{}}/helpdesk/examples.jsonl --out {{}}/{folder} "
        f"--gguf {BASE}={{}}/{BASE}.gguf --gguf {TUNED}={{}}/{TUNED}.gguf "
        f"--prompt-tokens {PROMPT}"
    )


def _run(work: Path, name: str, command: str) -> None:
    """One step, unless it is done; its seconds are added up over interruptions."""
    path = work / STEPS
    steps: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    step = steps.setdefault(name, {"seconds": 0.0, "done": ""})
    if step["done"] == command:
        return
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-m", "trainer", *shlex.split(command)], check=False)
    step["seconds"] += time.monotonic() - started
    step["done"] = "" if ended.returncode else command
    path.write_text(json.dumps(steps, indent=1), encoding="utf-8")
    if ended.returncode != 0:
        sys.exit(f"The step {name} failed.")


def _difference(folder: Path, measure: str) -> dict[str, float]:
    """Of tuned and base: the value and its bounds."""
    figures = json.loads((folder / "evaluation.json").read_text("utf-8"))
    tuned: dict[str, dict[str, float]] = figures["subjects"][1]["differences"]
    return tuned[measure]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


if __name__ == "__main__":
    sys.exit(main())
