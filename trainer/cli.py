"""The trainer's command line: arguments in, one step run, a sentence out.

Steps import what they need when they run, so that help needs no torch.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from backend.domain.errors import BadInput, ProductError
from trainer.data.prepare import Choices, Sources
from trainer.tuning.settings import (
    PRESETS,
    LoopSettings,
    ModelSize,
    PretrainSettings,
    TrainingSettings,
    changed,
    preset_named,
)

if TYPE_CHECKING:
    from trainer.evaluation.subjects import Subject

ABOUT = """\
Fine-tunes a small language model on a help desk's own answers and makes a file of it that the
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
    first = (_add_prepare, _add_pretrain, _add_train, _add_merge)
    for add in (*first, _add_export, _add_evaluate, _add_push):
        add(steps)
    return parser


def _add_prepare(steps: Any) -> None:
    step = steps.add_parser("prepare", help="make examples.jsonl of articles and solved tickets")
    step.add_argument("--articles", type=Path, metavar="FILE", help="articles.jsonl")
    step.add_argument("--tickets", type=Path, metavar="FILE", help="tickets.jsonl, or .gz")
    step.add_argument("--zoho", type=Path, metavar="DIR", help="what `zoho export` wrote")
    step.add_argument(
        "--rated", type=Path, metavar="DIR", help="what `suggest-answer export` wrote"
    )
    _add_out(step)
    step.add_argument(
        "--articles-as", choices=("examples", "passages"), default="examples",
        help="also train on articles (title asked, section answered), or only quote them",
    )  # fmt: skip
    _add_settings(step, Choices, without=("article_examples",))
    step.set_defaults(run=_prepare)


def _prepare(given: argparse.Namespace) -> str:
    from tqdm import tqdm

    from trainer.data.prepare import prepare

    as_examples = given.articles_as == "examples"
    choices = Choices(article_examples=as_examples, **_given_of(given, Choices))
    sources = Sources(given.articles, given.tickets, given.zoho, given.rated)
    with tqdm(disable=None, leave=False, unit=" rows", desc="cleaning") as bar:

        def progress(stage: str, done: int, of: int) -> None:
            bar.set_description(stage, refresh=False)
            bar.total, bar.n = of, done
            bar.refresh()

        card = prepare(out=given.out, sources=sources, choices=choices, progress=progress)
    return json.dumps(card, indent=2, ensure_ascii=False)


def _add_pretrain(steps: Any) -> None:
    step = steps.add_parser("pretrain", help="make a tiny base from nothing (demo and tests)")
    _add_examples(step)
    _add_out(step)
    for part in (PretrainSettings, ModelSize, LoopSettings):
        _add_settings(step, part)
    step.set_defaults(run=_pretrain)


def _pretrain(given: argparse.Namespace) -> str:
    from trainer.data.prepare import read_examples
    from trainer.tuning.pretrain import pretrain

    settings = changed(
        PretrainSettings(), _given_of(given, PretrainSettings, ModelSize, LoopSettings)
    )
    pretrain(read_examples(given.examples), out=given.out, settings=settings)
    return f"The base model is in {given.out}."


def _add_train(steps: Any) -> None:
    step = steps.add_parser("train", help="fine-tune a base model on the examples (QLoRA)")
    _add_base(step)
    _add_examples(step)
    _add_out(step)
    step.add_argument(
        "--preset", default="cpu-tiny", help="settings by machine: " + ", ".join(PRESETS)
    )
    step.add_argument(
        "--checkpoints-to", default="", metavar="ORG/NAME", help="private hub repository for them"
    )
    step.add_argument(
        "--base-name", default="", metavar="ORG/NAME", help="of the base, for record and card"
    )
    changes = step.add_argument_group("changes to the preset")
    for part in (TrainingSettings, LoopSettings):
        _add_settings(changes, part, without=("preset",), told="")
    step.set_defaults(run=_train)


def _train(given: argparse.Namespace) -> str:
    from trainer.tuning.train import Bookkeeping, train

    changes = _given_of(given, TrainingSettings, LoopSettings, without=("preset",))
    record = train(
        base=given.base, examples=given.examples, out=given.out,
        settings=preset_named(given.preset, **changes),
        bookkeeping=Bookkeeping(given.checkpoints_to, given.base_name), say=_say,
    )  # fmt: skip
    losses = [measurement["loss"] for measurement in record.history["validation"]]
    if not losses:
        return f"The adapter is in {given.out}. There were no rows to measure it on."
    return (
        f"The adapter is in {given.out}. Validation loss: "
        f"{' -> '.join(f'{loss:.3f}' for loss in losses)}; it has the weights of the best, "
        f"{min(losses):.3f}."
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _add_merge(steps: Any) -> None:
    step = steps.add_parser("merge", help="put the adapter into the base it was trained on")
    _add_base(step)
    step.add_argument("--adapter", type=Path, required=True, metavar="DIR", help="from `train`")
    _add_out(step)
    step.add_argument(
        "--into", choices=("trained", "original"), default="trained",
        help="the 4-bit weights that were trained on, or those the base came with",
    )  # fmt: skip
    step.set_defaults(run=_merge)


def _merge(given: argparse.Namespace) -> str:
    from trainer.gguf.merge import merge

    merge(base=given.base, adapter=given.adapter, out=given.out, into=given.into)
    return f"The model is in {given.out}."


def _add_export(steps: Any) -> None:
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


def _export(given: argparse.Namespace) -> str:
    if given.adapter or given.onto:
        return _export_adapter(given)
    from trainer.data.prepare import read_examples
    from trainer.gguf.export import Export, export

    examples = read_examples(given.examples) if given.examples else []
    wanted = Export(
        given.model,
        given.out,
        given.quantisation or "Q4_K_M",
        name=given.name,
        licence=given.licence,
        examples=tuple(example for example in examples if example.split != "train"),
        work=given.work,
        converter=given.converter,
        accepted=given.accept,
    )
    return export(wanted).to_json()


def _export_adapter(given: argparse.Namespace) -> str:
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


def _add_evaluate(steps: Any) -> None:
    step = steps.add_parser("evaluate", help="compare models on the golden tickets")
    _add_examples(step)
    _add_out(step)
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
    step.add_argument("--limit", type=_none_or_more, default=0, help="only so many tickets; 0: all")
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


def _none_or_more(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on.")
    return int(text)


def _evaluate(given: argparse.Namespace) -> str:
    from trainer.data.prepare import read_examples
    from trainer.evaluation.evaluate import Asking, Evaluation, evaluate

    examples = [
        example for example in read_examples(given.examples) if example.split == given.split
    ]
    wanted = Evaluation(
        subjects=_subjects(given.subjects, _keys(given)),
        examples=tuple(examples[: given.limit or None]),
        out=given.out,
        asking=Asking(given.prompt_tokens, given.answer_tokens, given.letters),
    )
    return evaluate(wanted)


def _keys(given: argparse.Namespace) -> dict[str, str]:
    """The key of each endpoint that has one. Each is sent to that endpoint only."""
    endpoints = [name for kind, name, _ in given.subjects if kind == "endpoint"]
    keys = {}
    for key in given.keys:
        name, _, variable = key.partition("=")
        if name not in endpoints:
            raise BadInput(f"--key {key}: no --endpoint has the name {name!r}.")
        if not os.environ.get(variable):
            raise BadInput(f"--key {key}: the environment variable {variable!r} is not set.")
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


def _add_push(steps: Any) -> None:
    step = steps.add_parser("push", help="upload to a private Hugging Face repository")
    step.add_argument("--repository", required=True, metavar="ORG/NAME", help="made if need be")
    step.add_argument("--gguf", type=Path, required=True, metavar="FILE", help="from `export`")
    step.add_argument("--adapter", type=Path, metavar="DIR", help="from `train`, goes along")
    step.set_defaults(run=_push)


def _push(given: argparse.Namespace) -> str:
    from trainer.hub.push import Push, push
    from trainer.hub.repository import hub_here

    name = push(Push(given.repository, given.gguf, given.adapter), hub=hub_here())
    return f"Pushed. On the backend's machine: suggest-answer models add {name}"


def _add_base(step: Any) -> None:
    step.add_argument("--base", type=Path, required=True, metavar="DIR", help="model folder")


def _add_examples(step: Any) -> None:
    step.add_argument("--examples", type=Path, required=True, metavar="FILE", help="from `prepare`")


def _add_out(step: Any) -> None:
    step.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")


def _add_settings(
    step: Any, settings: type, *, without: Sequence[str] = (), told: str = " (default: {})"
) -> None:
    """An option for each plain field of a dataclass; its help is the text under the field."""
    texts, kinds = _texts_under_fields(settings), get_type_hints(settings)
    for name in _plain_fields(settings, without):
        text = texts[name] + told.format(getattr(settings, name))
        option: dict[str, Any] = {"type": kinds[name]}
        if kinds[name] is bool:
            option = {"action": argparse.BooleanOptionalAction}
        elif get_origin(kinds[name]) is Literal:
            option = {"choices": get_args(kinds[name])}
        flag = "--" + name.replace("_", "-")
        step.add_argument(flag, default=argparse.SUPPRESS, help=text.replace("%", "%%"), **option)


def _given_of(
    given: argparse.Namespace, *settings: type, without: Sequence[str] = ()
) -> dict[str, Any]:
    """What was given of the fields of these settings; the rest keeps its default."""
    names = {name for each in settings for name in _plain_fields(each, without)}
    return {name: value for name, value in vars(given).items() if name in names}


def _plain_fields(settings: type, without: Sequence[str]) -> list[str]:
    """The fields that are no settings themselves."""
    return [
        field.name
        for field in fields(settings)
        if field.default_factory is MISSING and field.name not in without
    ]


def _texts_under_fields(settings: type) -> dict[str, str]:
    """The text that stands under each field of a dataclass, without its full stop."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    texts = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, below in pairwise(statements):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            texts[ast.unparse(field.target)] = " ".join(text.split()).rstrip(".")
    return texts
