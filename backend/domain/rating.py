"""What one rater says of one candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.domain.errors import BadScore
from backend.domain.rubric import HIGHEST, LOWEST, Rubric

MAX_RATER_CHARACTERS = 200
MAX_TEXT_CHARACTERS = 20_000


@dataclass(frozen=True)
class Rating:
    """Scores by criterion. A criterion that is left out was not judged.

    Raises BadScore for an unknown criterion, a score outside 1 to 5, or a rating that says nothing.
    """

    rater: str
    rubric: Rubric
    scores: Mapping[str, int] = field(default_factory=dict)
    critical: bool = False
    comment: str = ""
    ideal_answer: str = ""

    def __post_init__(self) -> None:
        for key, score in self.scores.items():
            self.rubric.criterion(key)
            if isinstance(score, bool) or not isinstance(score, int):
                raise BadScore(f"The score for {key} is {score!r}; give a whole number.")
            if not LOWEST <= score <= HIGHEST:
                raise BadScore(
                    f"The score for {key} is {score}; give a number from {LOWEST} to {HIGHEST}."
                )
        if not self.scores and not (self.critical or self.comment or self.ideal_answer):
            raise BadScore("The rating is empty. Score at least one criterion, or say something.")
        if not self.rater.strip() or len(self.rater) > MAX_RATER_CHARACTERS:
            raise BadScore(
                f"A rating needs a rater: a name or id of 1 to {MAX_RATER_CHARACTERS} characters."
            )
        if max(len(self.comment), len(self.ideal_answer)) > MAX_TEXT_CHARACTERS:
            raise BadScore(
                f"Comment and ideal answer take {MAX_TEXT_CHARACTERS:,} characters each."
            )


def overall(rating: Rating) -> float | None:
    """Weighted mean of the scores, from 1.0 (all lowest) to 5.0 (all highest).

    Criteria the rater skipped are left out rather than counted as low, so an imported
    rating with a missing score stays usable. None if nothing was scored.
    """
    scored = [criterion for criterion in rating.rubric.criteria if criterion.key in rating.scores]
    if not scored:
        return None
    total = sum(criterion.weight * rating.scores[criterion.key] for criterion in scored)
    return total / sum(criterion.weight for criterion in scored)
