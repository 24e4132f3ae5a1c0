"""What `prepare` can be told: where rows come from, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.cleaning.raw_folder import ARTICLES, TICKETS, raw_files
from backend.domain.errors import BadSettings
from trainer.splits import Duplicates

RATED = ("examples", "ratings")


@dataclass(frozen=True)
class Choices:
    """What `prepare` can be told. Shares are of all tickets (golden, validation) or examples.

    `near_duplicates`: of tickets asked alike keep the best one (`drop`), or keep all of them in one
    split (`together`). `same_answers`: how many tickets may have the same answer word for word.
    """

    seed: int = 1
    golden_share: float = 0.05
    validation_share: float = 0.05
    passage_share: float = 0.6
    helpful_share: float = 0.7
    passages: int = 3
    article_examples: bool = True
    near_duplicates: Duplicates = "drop"
    same_answers: int = 20

    def __post_init__(self) -> None:
        for name in ("golden_share", "validation_share", "passage_share", "helpful_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSettings(f"{name} is a share from 0 to 1, not {getattr(self, name)}.")
        if self.near_duplicates not in ("drop", "together"):
            raise BadSettings(f"near_duplicates is drop or together, not {self.near_duplicates}.")
        if self.same_answers < 1:
            raise BadSettings(f"same_answers is at least 1, not {self.same_answers}.")


@dataclass(frozen=True)
class Sources:
    """Where rows come from: JSONL files, an export of Zoho, a folder that `export` wrote."""

    articles: Path | None = None
    tickets: Path | None = None
    zoho: Path | None = None
    rated: Path | None = None

    def __post_init__(self) -> None:
        if not (self.articles or self.tickets or self.zoho or self.rated):
            raise BadSettings(
                "There is nothing to prepare. Give --tickets FILE (and --articles FILE), "
                "--zoho DIR, or --rated DIR."
            )

    def files(self) -> dict[str, Path]:
        """Each file that is read, by a name that does not tell where it lies."""
        found = {"articles": self.articles, "tickets": self.tickets}
        named = {name: path for name, path in found.items() if path}
        if self.zoho:
            names = (*ARTICLES, *TICKETS)
            named |= {"/".join(one.parts[-2:]): one for one in raw_files(self.zoho, names)}
        if self.rated:
            rated = {f"rated/{one}.jsonl": self.rated / f"{one}.jsonl" for one in RATED}
            named |= {name: path for name, path in rated.items() if path.is_file()}
        return named
