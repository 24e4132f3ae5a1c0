"""`python -m trainer prepare`: its arguments, its progress, its closing words."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


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
    from trainer.choices import Choices, Sources
    from trainer.prepare import prepare

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
