"""The commands that come after training: export, evaluate, push, and what each can be told."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from trainer.evaluate import Asking, Evaluation, evaluate
    from trainer.prepare import read_examples

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
    from trainer.evaluation.endpoint import EndpointSubject
    from trainer.evaluation.subjects import FolderSubject, GgufSubject

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
    from trainer.hub import token_here
    from trainer.push import Push, push

    name = push(
        Push(given.repository, given.gguf, given.adapter),
        token=token_here(),
        endpoint=os.environ.get("HF_ENDPOINT"),
    )
    return f"Pushed. On the backend's machine: suggest-answer models add {name}"


def _export(given: argparse.Namespace) -> str:
    if given.adapter or given.onto:
        return _export_adapter(given)
    from trainer.export import Export, export
    from trainer.prepare import read_examples

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
    from trainer.lora_gguf import AdapterExport, export_adapter

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
