"""The trainer's command line: arguments in, one step run, a sentence out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.domain.errors import ProductError
from trainer.cli_after_training import add_evaluate, add_export, add_push
from trainer.cli_prepare import add_prepare

ABOUT = """\
Tunes a small language model on a help desk's own answers and makes a file of it that the
backend serves. The steps, in their order:

  prepare    articles and solved tickets -> examples.jsonl
  pretrain   a tiny base model from nothing (demo and tests only; else take a base that exists)
  train      base model + examples -> adapter (QLoRA: 4-bit base, LoRA on all linear layers)
  merge      base model + adapter -> whole model
  export     whole model -> quantised GGUF with its model card, compared with the original
  evaluate   models, GGUFs and endpoints -> table, picture and figures on the golden tickets
  push       adapter, GGUF and card -> private Hugging Face repository

Each step writes a folder or a file that the next one reads. `train` can be stopped at any
moment: the same command goes on where it was."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step; 0 if it went well, 1 with a sentence on stderr if it did not."""
    given = _parser().parse_args(arguments)
    try:
        answer = given.run(given)
    except ProductError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. The same command goes on from here.\n")
        return 130
    sys.stdout.write(f"{answer}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = parser.add_subparsers(required=True, metavar="STEP")
    first = (add_prepare, _add_pretrain, _add_train, _add_merge)
    for add in (*first, add_export, add_evaluate, add_push):
        add(steps)
    return parser


def _add_pretrain(steps: Any) -> None:
    step = steps.add_parser("pretrain", help="make a tiny base from nothing (demo and tests)")
    _add_examples(step)
    _add_out(step)
    _add_loop_changes(step)
    step.add_argument("--prompt-tokens", type=int, help="budget of its prompts, estimated")
    step.add_argument("--family", choices=("llama", "gptj"), default="llama")
    step.add_argument("--vocabulary", type=int, default=4096, help="tokens that it tells apart")
    step.set_defaults(run=_pretrain)


def _add_train(steps: Any) -> None:
    step = steps.add_parser("train", help="tune a base model on the examples (QLoRA)")
    step.add_argument("--base", type=Path, required=True, metavar="DIR", help="model folder")
    _add_examples(step)
    _add_out(step)
    step.add_argument("--preset", default="cpu-tiny", help="settings by machine: " + _presets())
    _add_loop_changes(step)
    for name, text in (
        ("rank", "of the LoRA matrices"),
        ("alpha", "the LoRA's weight is alpha / rank"),
        ("row-tokens", "longest row; longer examples are left out and counted"),
        ("opening-epochs", "first epochs, in which only the answer's opening is trained"),
        ("prompt-tokens", "budget of a prompt, in the estimate that serving uses"),
        ("samples", "validation questions that are answered at each measurement"),
        ("sample-tokens", "longest of these answers"),
    ):
        step.add_argument(f"--{name}", type=int, help=text)
    step.add_argument("--dropout", type=float, help="of the LoRA's input")
    step.add_argument("--wording-share", type=float, help="share of questions reworded each epoch")
    step.add_argument("--passage-share", type=float, help="share of examples that keep sources")
    step.add_argument(
        "--checkpoints-to", default="", metavar="ORG/NAME", help="private hub repository for them"
    )
    step.add_argument(
        "--base-name", default="", metavar="ORG/NAME", help="of the base, for record and card"
    )
    step.set_defaults(run=_train)


def _add_merge(steps: Any) -> None:
    step = steps.add_parser("merge", help="put the adapter into the base it was trained on")
    step.add_argument("--base", type=Path, required=True, metavar="DIR", help="model folder")
    step.add_argument("--adapter", type=Path, required=True, metavar="DIR", help="from `train`")
    _add_out(step)
    step.add_argument(
        "--into", choices=("trained", "original"), default="trained",
        help="the 4-bit weights that were trained on, or those the base came with",
    )  # fmt: skip
    step.set_defaults(run=_merge)


def _add_out(step: Any) -> None:
    step.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")


def _add_examples(step: Any) -> None:
    step.add_argument("--examples", type=Path, required=True, metavar="FILE", help="from `prepare`")


def _add_loop_changes(step: Any) -> None:
    for name, text in (
        ("epochs", "times each example is seen"),
        ("batch-rows", "examples of one step"),
        ("rows-at-once", "of these side by side in memory; 0: as many as fit"),
        ("measurements", "of the validation loss in an epoch"),
        ("patience", "measurements without a new best that end the training; 0: none"),
        ("seed", "of order, rewording and first weights"),
        ("threads", "of the CPU"),
    ):
        step.add_argument(f"--{name}", type=int, help=text)
    step.add_argument("--learning-rate", type=float, help="at its highest")
    step.add_argument("--checkpoint-minutes", type=float, help="between two checkpoints")
    step.add_argument("--compute", choices=("float32", "bfloat16", "float16"), help="precision")
    step.add_argument("--optimiser", choices=("adamw", "paged_adamw_8bit"), help="kind of AdamW")


def _pretrain(given: argparse.Namespace) -> str:
    from trainer.prepare import read_examples
    from trainer.pretrain import PretrainSettings, pretrain

    plain = PretrainSettings()
    changes = _changes(given)
    shape = replace(plain.shape, family=changes.pop("family"), vocabulary=changes.pop("vocabulary"))
    budget = changes.pop("prompt_tokens", plain.prompt_tokens)
    loop = replace(plain.loop, **changes)
    settings = replace(plain, shape=shape, loop=loop, prompt_tokens=budget)
    pretrain(read_examples(given.examples), out=given.out, settings=settings)
    return f"The base model is in {given.out}."


def _train(given: argparse.Namespace) -> str:
    from trainer.presets import preset_named
    from trainer.train import Aside, train

    settings = preset_named(given.preset, **_changes(given))
    record = train(
        base=given.base, examples=given.examples, out=given.out, settings=settings,
        aside=Aside(given.checkpoints_to, given.base_name), say=_say,
    )  # fmt: skip
    losses = [one["loss"] for one in record.history["validation"]]
    if not losses:
        return f"The adapter is in {given.out}. There were no rows to measure it on."
    return (
        f"The adapter is in {given.out}. Validation loss: "
        f"{' -> '.join(f'{loss:.3f}' for loss in losses)}; it has the weights of the best, "
        f"{min(losses):.3f}."
    )


def _merge(given: argparse.Namespace) -> str:
    from trainer.merge import merge

    merge(base=given.base, adapter=given.adapter, out=given.out, into=given.into)
    return f"The model is in {given.out}."


def _presets() -> str:
    from trainer.presets import PRESETS

    return ", ".join(PRESETS)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    """What was given of the settings; the rest keeps the preset's value."""
    other = {"run", "examples", "out", "base", "preset", "checkpoints_to", "base_name"}
    return {
        key: value for key, value in vars(given).items() if key not in other and value is not None
    }
