"""The trainer's command line: arguments in, one step run, a sentence out.

`python -m trainer prepare`: its arguments, its progress, its closing words.

The commands that come after training: export, evaluate, push, and what each can be told.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.domain.errors import ProductError

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
    from trainer.data.prepare import read_examples
    from trainer.tuning.pretrain import PretrainSettings, pretrain

    plain = PretrainSettings()
    changes = _changes(given)
    shape = replace(plain.shape, family=changes.pop("family"), vocabulary=changes.pop("vocabulary"))
    budget = changes.pop("prompt_tokens", plain.prompt_tokens)
    loop = replace(plain.loop, **changes)
    settings = replace(plain, shape=shape, loop=loop, prompt_tokens=budget)
    pretrain(read_examples(given.examples), out=given.out, settings=settings)
    return f"The base model is in {given.out}."


def _train(given: argparse.Namespace) -> str:
    from trainer.tuning.settings import preset_named
    from trainer.tuning.train import Aside, train

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
    from trainer.gguf.merge import merge

    merge(base=given.base, adapter=given.adapter, out=given.out, into=given.into)
    return f"The model is in {given.out}."


def _presets() -> str:
    from trainer.tuning.settings import PRESETS

    return ", ".join(PRESETS)


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    """What was given of the settings; the rest keeps the preset's value."""
    other = {"run", "examples", "out", "base", "preset", "checkpoints_to", "base_name"}
    return {
        key: value for key, value in vars(given).items() if key not in other and value is not None
    }


def add_prepare(steps: Any) -> None:
    """Adds the step with its arguments."""
    step = steps.add_parser("prepare", help="make examples.jsonl of articles and solved tickets")
    step.add_argument("--articles", type=Path, metavar="FILE", help="articles.jsonl")
    step.add_argument("--tickets", type=Path, metavar="FILE", help="tickets.jsonl, or .gz")
    step.add_argument("--zoho", type=Path, metavar="DIR", help="what `zoho export` wrote")
    step.add_argument(
        "--rated", type=Path, metavar="DIR", help="what `suggest-answer export` wrote"
    )
    step.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    step.add_argument("--seed", type=int, default=1, help="draws splits and passages")
    shares = {
        "golden": (0.05, "of the tickets, the newest, kept for the last measurement"),
        "validation": (0.05, "of the other tickets, kept to watch the training"),
        "passage": (0.6, "of the examples that get sources into their prompt"),
        "helpful": (0.7, "of these, with a source that has about the answer"),
    }
    for name, (share, text) in shares.items():
        step.add_argument(f"--{name}-share", type=float, default=share, help=f"share {text}")
    step.add_argument("--passages", type=int, default=3, help="sources at most in one prompt")
    step.add_argument(
        "--articles-as", choices=("examples", "passages"), default="examples",
        help="also train on articles (title asked, section answered), or only quote them",
    )  # fmt: skip
    step.add_argument(
        "--near-duplicates", choices=("drop", "together"), default="drop",
        help="of tickets asked alike keep the best, or keep all of them in one split",
    )  # fmt: skip
    step.add_argument(
        "--same-answers", type=int, default=20, help="tickets that may have the same answer"
    )
    step.set_defaults(run=_prepare)


def _prepare(given: argparse.Namespace) -> str:
    from trainer.data.prepare import Choices, Sources, prepare

    choices = Choices(
        seed=given.seed,
        golden_share=given.golden_share,
        validation_share=given.validation_share,
        passage_share=given.passage_share,
        helpful_share=given.helpful_share,
        passages=given.passages,
        article_examples=given.articles_as == "examples",
        near_duplicates=given.near_duplicates,
        same_answers=given.same_answers,
    )
    sources = Sources(given.articles, given.tickets, given.zoho, given.rated)
    from tqdm import tqdm

    with tqdm(disable=None, leave=False, unit=" rows", desc="cleaning") as bar:

        def progress(stage: str, done: int, of: int) -> None:
            bar.set_description(stage, refresh=False)
            bar.total, bar.n = of, done
            bar.refresh()

        card = prepare(out=given.out, sources=sources, choices=choices, progress=progress)
    return json.dumps(card, indent=2, ensure_ascii=False)


if TYPE_CHECKING:
    from trainer.evaluation.subjects import Subject


def add_export(steps: Any) -> None:
    """`export`: a model, or an adapter alone, becomes a GGUF."""
    step = steps.add_parser("export", help="write a quantised GGUF and its model card")
    step.add_argument("--model", type=Path, required=True, metavar="DIR", help="merged, or a base")
    step.add_argument("--out", type=Path, required=True, metavar="FILE.gguf", help="what to write")
    step.add_argument("--quantisation", help="F16, Q8_0, Q6_K, Q5_K_M, Q4_K_M (the default)")
    step.add_argument("--name", default="", help="the model's name; else that of the file")
    step.add_argument("--licence", default="", help="of the base and the data, for the card")
    step.add_argument("--examples", type=Path, metavar="FILE", help="compare on held-out rows")
    step.add_argument("--work", type=Path, metavar="DIR", help="keep the steps' files here")
    step.add_argument("--converter", type=Path, metavar="FILE", help="convert_hf_to_gguf.py")
    step.add_argument("--adapter", type=Path, metavar="DIR", help="export this alone; with --onto")
    step.add_argument("--onto", type=Path, metavar="FILE.gguf", help="the shared base it is for")
    step.add_argument(
        "--accept", type=float, default=1.0, metavar="TIMES",
        help="let quantising change so many times what it usually may; the card will say so",
    )  # fmt: skip
    step.set_defaults(run=_export)


def add_evaluate(steps: Any) -> None:
    """`evaluate`: models side by side on the golden tickets."""
    step = steps.add_parser("evaluate", help="compare models on the golden tickets")
    step.add_argument("--examples", type=Path, required=True, metavar="FILE", help="from `prepare`")
    step.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    for kind, what in (
        ("model", "DIR"),
        ("gguf", "FILE"),
        ("endpoint", "URL#MODEL"),
    ):
        step.add_argument(
            f"--{kind}", action=_InOrder, default=[], metavar=f"NAME={what}", dest="subjects",
            help="any number; the first of all is what the others are compared with",
        )  # fmt: skip
    step.add_argument(
        "--key", action="append", default=[], metavar="NAME=VARIABLE", dest="keys",
        help="the environment variable with this endpoint's key; others are sent none",
    )  # fmt: skip
    step.add_argument("--split", default="golden", help="golden, validation or train")
    step.add_argument("--limit", type=int, default=0, help="only so many tickets, 0 for all")
    step.add_argument("--prompt-tokens", type=int, help="budget of a prompt; else as served")
    step.add_argument("--answer-tokens", type=int, default=320, help="longest answer")
    step.add_argument(
        "--letters", type=int, default=0,
        help="all answers of so many letters, ends passed over: chrF rewards length",
    )  # fmt: skip
    step.set_defaults(run=_evaluate)


class _InOrder(argparse.Action):
    """Collects options of several names into one list, in the order in which they stand."""

    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        name, equals, what = str(values).partition("=")
        if not (name and equals and what):
            parser.error(f"{option_string} takes NAME=…, not {values!r}.")
        kind = (option_string or "").lstrip("-")
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (kind, name, what)])


def _evaluate(given: argparse.Namespace) -> str:
    from trainer.data.prepare import read_examples
    from trainer.evaluation.evaluate import Asking, Evaluation, evaluate

    rows = tuple(one for one in read_examples(given.examples) if one.split == given.split)
    wanted = Evaluation(
        subjects=_subjects(given.subjects, _keys(given)),
        examples=rows[: given.limit or None],
        out=given.out,
        asking=Asking(given.prompt_tokens, given.answer_tokens, given.letters),
    )
    return evaluate(wanted)


def _keys(given: argparse.Namespace) -> dict[str, str]:
    """The key of each endpoint that has one. Each is sent to that endpoint only."""
    from backend.domain.errors import BadInput

    endpoints = [name for kind, name, _ in given.subjects if kind == "endpoint"]
    keys = {}
    for one in given.keys:
        name, _, variable = one.partition("=")
        if name not in endpoints:
            raise BadInput(f"--key {one}: no --endpoint has the name {name!r}.")
        if not os.environ.get(variable):
            raise BadInput(f"--key {one}: the environment variable {variable!r} is not set.")
        keys[name] = os.environ[variable]
    return keys


def _subjects(
    given: Sequence[tuple[str, str, str]], keys: Mapping[str, str]
) -> tuple[Subject, ...]:
    from trainer.evaluation.subjects import EndpointSubject, FolderSubject, GgufSubject

    found: list[Subject] = []
    for kind, name, what in given:
        if kind == "model":
            found.append(FolderSubject(name, Path(what)))
        elif kind == "gguf":
            found.append(GgufSubject(name, Path(what)))
        else:
            address, _, model = what.partition("#")
            found.append(EndpointSubject(name, address, model or name, keys.get(name, "")))
    return tuple(found)


def add_push(steps: Any) -> None:
    """`push`: adapter, GGUF and card to a private repository."""
    step = steps.add_parser("push", help="upload to a private Hugging Face repository")
    step.add_argument("--repository", required=True, metavar="ORG/NAME", help="made if need be")
    step.add_argument("--gguf", type=Path, required=True, metavar="FILE", help="from `export`")
    step.add_argument("--adapter", type=Path, metavar="DIR", help="from `train`, goes along")
    step.set_defaults(run=_push)


def _push(given: argparse.Namespace) -> str:
    from trainer.hub.client import token_here
    from trainer.hub.push import Push, push

    name = push(
        Push(given.repository, given.gguf, given.adapter),
        token=token_here(),
        endpoint=os.environ.get("HF_ENDPOINT"),
    )
    return f"Pushed. On the backend's machine: suggest-answer models add {name}"


def _export(given: argparse.Namespace) -> str:
    if given.adapter or given.onto:
        return _export_adapter(given)
    from trainer.data.prepare import read_examples
    from trainer.gguf.export import Export, export

    rows = read_examples(given.examples) if given.examples else []
    wanted = Export(
        given.model,
        given.out,
        given.quantisation or "Q4_K_M",
        name=given.name,
        licence=given.licence,
        examples=tuple(one for one in rows if one.split != "train"),
        work=given.work,
        converter=given.converter,
        accepted=given.accept,
    )
    return export(wanted).to_json()


def _export_adapter(given: argparse.Namespace) -> str:
    from backend.domain.errors import BadInput
    from trainer.gguf.adapter import AdapterExport, export_adapter

    if not (given.adapter and given.onto):
        raise BadInput("--adapter and --onto belong together: the adapter, and its base's GGUF.")
    for option in ("quantisation", "examples", "work", "converter"):
        if getattr(given, option):
            raise BadInput(f"--{option} is of no use with --adapter. Leave it out.")
    wanted = AdapterExport(
        base=given.model,
        adapter=given.adapter,
        out=given.out,
        onto=given.onto,
        name=given.name,
        licence=given.licence,
        accepted=given.accept,
    )
    return export_adapter(wanted).to_json()
