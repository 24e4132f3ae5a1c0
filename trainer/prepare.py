"""First step: articles and solved tickets become examples, each in one split.

The same files and seed give the same bytes. What is dropped is counted in the data card, so that
nobody has to guess where rows went.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from backend.domain.article import Article, SolvedTicket, article_passages, solved_passage
from backend.domain.errors import BadInput, BadSettings
from backend.domain.example import Example, Split
from backend.domain.prompt import FORMAT
from trainer.corpus import Section, read_articles, read_tickets, sections
from trainer.passages import Shelf, helpful, nearest, shelf

EXAMPLES = "examples.jsonl"
DATA_CARD = "data_card.json"


@dataclass(frozen=True)
class Choices:
    """What `prepare` can be told. Shares are of all tickets (golden, validation) or examples."""

    seed: int = 1
    golden_share: float = 0.05
    validation_share: float = 0.05
    passage_share: float = 0.6
    helpful_share: float = 0.7
    passages: int = 3
    article_examples: bool = True

    def __post_init__(self) -> None:
        for name in ("golden_share", "validation_share", "passage_share", "helpful_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSettings(f"{name} is a share from 0 to 1, not {getattr(self, name)}.")


def prepare(
    *, articles: Path, tickets: Path, out: Path, choices: Choices | None = None
) -> dict[str, Any]:
    """Writes `examples.jsonl` and `data_card.json` to `out` and returns the card.

    Raises BadInput if nothing is left to train on.
    """
    chosen = choices or Choices()
    dropped: Counter[str] = Counter()
    pages, kept = read_articles(articles, dropped), read_tickets(tickets, dropped)
    splits = _splits(kept, chosen)
    parts = [section for page in pages for section in sections(page)]
    examples = [_from_ticket(ticket, splits[ticket.id]) for ticket in kept]
    if chosen.article_examples:
        examples += _from_sections(parts, dropped)
    if not any(example.split == "train" for example in examples):
        raise BadInput(f"{tickets} has no ticket with a question and an answer to train on.")
    in_train = [ticket for ticket in kept if splits[ticket.id] == "train"]
    shelves = (ticket_shelf(in_train), article_shelf(pages))
    examples = [_with_passages(example, shelves, chosen) for example in examples]
    out.mkdir(parents=True, exist_ok=True)
    text = "".join(example.to_json() + "\n" for example in examples)
    (out / EXAMPLES).write_text(text, encoding="utf-8")
    card = _data_card(examples, dropped, chosen)
    card["sources"] = {"articles": _sha256(articles), "tickets": _sha256(tickets)}
    card["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (out / DATA_CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def read_examples(path: Path) -> list[Example]:
    """The examples of a file. Raises BadInput if it cannot be read or has none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # not at U+2028, which texts have
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}. `python -m trainer prepare` writes it."
        ) from error
    examples = [Example.from_json(line) for line in lines if line.strip()]
    if not examples:
        raise BadInput(f"{path} has no examples. `python -m trainer prepare` writes them.")
    return examples


def _splits(tickets: Sequence[SolvedTicket], choices: Choices) -> dict[str, Split]:
    """The newest tickets are golden: what is asked tomorrow is like them. Validation is drawn."""
    by_time = sorted(tickets, key=lambda ticket: (ticket.created, ticket.id))
    first_golden = len(by_time) - round(len(by_time) * choices.golden_share)
    splits: dict[str, Split] = {}
    for place, ticket in enumerate(by_time):
        drawn = _fraction(f"{choices.seed}:split:{ticket.id}") < choices.validation_share
        splits[ticket.id] = (
            "golden" if place >= first_golden else "validation" if drawn else "train"
        )
    return splits


def _from_ticket(ticket: SolvedTicket, split: Split) -> Example:
    return Example(
        question=ticket.asked,
        answer=ticket.answer,
        source=f"ticket:{ticket.id}",
        language=ticket.language,
        created=ticket.created,
        split=split,
    )


def _from_sections(parts: Sequence[Section], dropped: Counter[str]) -> list[Example]:
    examples: dict[tuple[str, str], Example] = {}
    for part in parts:
        if (part.title, part.text) in examples:
            dropped["exact duplicate of an article's section"] += 1
            continue
        examples[part.title, part.text] = Example(
            question=part.title,
            answer=part.text,
            source=f"article:{part.article.id}#{part.number}",
            language=part.article.language,
            created=part.article.updated,
        )
    return list(examples.values())


def ticket_shelf(tickets: Sequence[SolvedTicket]) -> Shelf:
    """Solved tickets, found by what was asked."""
    return shelf([(solved_passage(ticket), ticket.asked) for ticket in tickets])


def article_shelf(pages: Sequence[Article]) -> Shelf:
    """Articles, cut into passages."""
    return shelf([(passage, "") for page in pages for passage in article_passages(page)])


def _with_passages(example: Example, shelves: tuple[Shelf, Shelf], choices: Choices) -> Example:
    """The example with passages, if it is drawn: one that helps, if drawn too, among others.

    Search alone finds the right passage too seldom for a model to learn that sources are worth
    reading, and if it were always there, the model would never learn to doubt them.
    """
    if _fraction(f"{choices.seed}:passages:{example.source}") >= choices.passage_share:
        return example
    own = example.source.replace("ticket:", "solved:")
    solved, articles = (
        nearest(example.question, one, but=own, limit=choices.passages) for one in shelves
    )
    found = [one for pair in zip_longest(solved, articles) for one in pair if one]
    helps = helpful(example.question, example.answer, shelves[0], but=own)
    drawn = _fraction(f"{choices.seed}:helpful:{example.source}") < choices.helpful_share
    if helps and drawn:
        place = int(_fraction(f"{choices.seed}:place:{example.source}") * 1.4)
        found = [one for one in found if one.key != helps.key]
        found.insert(place, helps)
    return replace(example, passages=tuple(found[: choices.passages]))


def _data_card(
    examples: Sequence[Example], dropped: Counter[str], choices: Choices
) -> dict[str, Any]:
    kinds = Counter(example.source.partition(":")[0] for example in examples)
    return {
        "prompt_format": FORMAT,
        "choices": asdict(choices),
        "examples": len(examples),
        "splits": dict(sorted(Counter(example.split for example in examples).items())),
        "kinds": dict(sorted(kinds.items())),
        "languages": dict(sorted(Counter(example.language for example in examples).items())),
        "with_passages": sum(1 for example in examples if example.passages),
        "dropped": dict(sorted(dropped.items())),
    }


def _fraction(text: str) -> float:
    """A number from 0 to below 1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
