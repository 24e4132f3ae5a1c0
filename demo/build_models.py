"""Rebuilds the demo's two models from the corpus; one command, about a quarter of an hour.

    ./scripts/build_demo_models

`demo-base` is a tiny Llama that has read the help desk's texts and learned which article a ticket
is about. `demo-tuned` is the same with a LoRA trained on the answers that were sent, merged,
exported and quantised. Both only show the way from a help desk's data to a served model: a real
one starts from a real base. Neither reads passages: so small a model learns only one thing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.domain.example import Example
from backend.domain.passage import plain
from trainer.data.prepare import Choices, prepare, read_examples
from trainer.gguf.export import Export, export
from trainer.gguf.merge import merge
from trainer.tuning.pretrain import CITED, pretrain
from trainer.tuning.settings import LoopSettings, PretrainSettings, preset_named
from trainer.tuning.train import train

HERE = Path(__file__).parent
LICENCE = "Same as this project's; made from the texts in demo/corpus only"
QUANTISATION = "Q8_0"
OPENING_CHARACTERS = 240
PROMPT_TOKENS = 640


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all steps. Those that are finished in the work folder are not done again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("var/demo-models"), help="for the steps")
    parser.add_argument("--out", type=Path, default=HERE / "models", help="for the two GGUFs")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    given = parser.parse_args(arguments)
    base = make_base(given.work, threads=given.threads)
    tuned = make_tuned(base, given.work, threads=given.threads)
    for model, name in ((base, "demo-base"), (tuned, "demo-tuned")):
        out = given.out / f"{name}.gguf"
        export(Export(model, out, QUANTISATION, name=name, licence=LICENCE, passages=0))
        sys.stdout.write(f"{out}: {out.stat().st_size / 1e6:.2f} MB\n")
    return 0


def make_base(work: Path, *, threads: int) -> Path:
    """A tiny Llama that has read the texts and answers tickets with the articles' openings."""
    out = work / "base"
    if not (out / "training.json").exists():
        choices = Choices(golden_share=0, validation_share=0, passage_share=0)
        examples = _examples(work / "articles", choices)
        loop = LoopSettings(epochs=14, batch_rows=8, learning_rate=2e-3, threads=threads)
        pretrain(
            [*read_examples(examples), *_cited()],
            out=out,
            settings=PretrainSettings(loop=loop, prompt_tokens=PROMPT_TOKENS),
        )
    return out


def make_tuned(base: Path, work: Path, *, threads: int) -> Path:
    """The base tuned on the solved tickets and merged."""
    choices = Choices(golden_share=0, passage_share=0, article_examples=False)
    settings = preset_named("cpu-tiny", epochs=16, threads=threads, prompt_tokens=PROMPT_TOKENS)
    settings = replace(settings, rank=128, alpha=128, wording_share=0.7)
    examples = _examples(work / "tickets", choices)
    train(base=base, examples=examples, out=work / "adapter", settings=settings)
    return merge(base=base, adapter=work / "adapter", out=work / "merged")


def _cited() -> list[Example]:
    """Each solved ticket, answered with the opening of the article that was cited for it."""
    openings = {
        row["id"]: plain(f"{row['title']}\n\n{row['body']}")[:OPENING_CHARACTERS]
        for row in _rows("articles.jsonl")
    }
    return [
        Example(
            question=f"{row['subject']}\n\n{row['question']}",
            answer=openings[row["cited_articles"][0]],
            source=f"{CITED}{row['id']}",
            language=row["language"],
        )
        for row in _rows("solved_tickets.jsonl")
    ]


def _rows(name: str) -> list[dict[str, Any]]:
    lines = (HERE / "corpus" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _examples(out: Path, choices: Choices) -> Path:
    corpus = HERE / "corpus"
    prepare(
        articles=corpus / "articles.jsonl",
        tickets=corpus / "solved_tickets.jsonl",
        out=out,
        choices=choices,
    )
    return out / "examples.jsonl"


if __name__ == "__main__":
    raise SystemExit(main())
