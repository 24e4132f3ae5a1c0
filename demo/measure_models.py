"""Measures the demo models on the open tickets, whose wordings none of them has seen.

A reply counts as right if, of all answers the team ever sent, it is most like one of the
ticket's own topic: the topics are in the corpus for this only. Run from the repository's root:

    python -m demo.measure_models demo/models/demo-base.gguf demo/models/demo-tuned.gguf
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
from sqlite_utils import Database

from backend.domain.model_card import ModelCard
from backend.domain.passage import Passage, SolvedTicket
from backend.domain.prompt import render
from backend.domain.ticket import Ticket
from backend.intake.jsonl import read_rows
from backend.knowledge.ranking import nearest_answer, passages_for
from backend.knowledge.store import solved_tickets
from backend.services.demo import prepare_demo
from backend.settings import Settings
from backend.store.database import open_database
from trainer.gguf.quantise import quiet

CORPUS = Path(__file__).parent / "corpus"
LONGEST_REPLY = 260
DEFAULT_PROMPT_TOKENS = 512


@dataclass(frozen=True)
class Desk:
    """The open tickets, what search finds in, and the answers that replies are compared with."""

    open_tickets: tuple[dict[str, Any], ...]
    db: Database
    solved: tuple[SolvedTicket, ...]

    def found(self, question: str) -> list[Passage]:
        """What the product would put into the prompt."""
        settings = Settings()
        return passages_for(
            question,
            db=self.db,
            articles=settings.suggest.articles,
            solved=settings.suggest.solved,
            threshold=settings.search.article_threshold,
        )


@dataclass(frozen=True)
class Reply:
    """What a model wrote to a ticket, how like its nearest answer, and whether on topic."""

    text: str
    likeness: float
    right: bool
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one JSON line for each model, without and with passages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+", metavar="FILE.gguf")
    parser.add_argument("--replies", action="store_true", help="print what was written, too")
    given = parser.parse_args(arguments)
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        measure_all(given.models, read_desk(Path(folder)), with_replies=given.replies)
    return 0


def measure_all(models: Sequence[Path], desk: Desk, *, with_replies: bool) -> None:
    """Prints one line for each model and way, and each reply if wanted."""
    _say({"nearest": round(nearest_share(desk), 3), "tickets": len(desk.open_tickets)})
    for model in models:
        for passages in ("without", "with"):
            replies = measure(model, desk, passages=passages)
            _say(summary(model, passages, replies))
            for ticket, reply in zip(
                desk.open_tickets, replies if with_replies else (), strict=False
            ):
                _say({"topic": ticket["topic"], "right": reply.right, "text": reply.text})


def read_desk(folder: Path) -> Desk:
    """The demo's help desk, with a database of its own in `folder`."""
    db = open_database(folder / "demo.db")
    prepare_demo(db=db)
    return Desk(
        open_tickets=tuple(read_rows(CORPUS / "open_tickets.jsonl")),
        db=db,
        solved=tuple(solved_tickets(db=db)),
    )


def measure(model: Path, desk: Desk, *, passages: str) -> list[Reply]:
    """The model's reply to each open ticket, through the serving prompt, `with` passages or not."""
    card = ModelCard.from_json(model.with_suffix(".model_card.json").read_text())
    budget = card.prompt_tokens or DEFAULT_PROMPT_TOKENS
    loaded = llama_cpp.Llama(str(model), n_ctx=card.context_tokens, n_threads=2, verbose=False)
    try:
        return [_reply(loaded, ticket, desk, budget, passages) for ticket in desk.open_tickets]
    finally:
        loaded.close()


def summary(model: Path, passages: str, replies: Sequence[Reply]) -> dict[str, Any]:
    """The measured shares of one model."""
    return {
        "model": model.stem,
        "passages": passages,
        "right": sum(reply.right for reply in replies),
        "tickets": len(replies),
        "likeness": round(sum(reply.likeness for reply in replies) / len(replies), 3),
        "seconds": round(sum(reply.seconds for reply in replies) / len(replies), 2),
    }


def nearest_share(desk: Desk) -> float:
    """How often what `nearest` answers is on topic: the way without a model.

    An article is on topic if a reply to a solved ticket of that topic cited it.
    """
    right = 0
    for ticket in desk.open_tickets:
        found = nearest_answer(_question(ticket), db=desk.db)
        right += bool(found) and ticket["topic"] in _topics(found.key, desk)
    return right / len(desk.open_tickets)


def _topics(key: str, desk: Desk) -> set[str]:
    """What a passage is about."""
    source = key.partition(":")[2].partition("#")[0]
    return {solved.topic for solved in desk.solved if source == solved.id or source in solved.cited}


def _reply(loaded: Any, ticket: dict[str, Any], desk: Desk, budget: int, passages: str) -> Reply:
    question = _question(ticket)
    found = desk.found(question) if passages == "with" else []
    prompt = render(question, found, budget=budget)
    started = time.monotonic()
    answer = loaded.create_chat_completion(
        messages=prompt.messages, temperature=0.0, max_tokens=LONGEST_REPLY
    )
    text = answer["choices"][0]["message"]["content"] or ""
    seconds = time.monotonic() - started
    likeness, topic = max(
        (likeness_of(text, solved.answer), solved.topic) for solved in desk.solved
    )
    return Reply(text, likeness, topic == ticket["topic"], seconds)


def likeness_of(text: str, other: str) -> float:
    """Shared runs of six characters of two texts: 0 for none, 1 for equal texts."""
    first, second = _runs(text), _runs(other)
    shared = sum((first & second).values())
    return 2 * shared / max(1, first.total() + second.total())


def _runs(text: str) -> Counter[str]:
    plain = " ".join(text.split())
    return Counter(plain[place : place + 6] for place in range(len(plain) - 5))


def _question(ticket: dict[str, Any]) -> str:
    return Ticket(text=ticket["question"], subject=ticket["subject"]).question


def _say(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
