"""Files for the trainer: `ratings.jsonl` and `examples.jsonl`.

Rows come in the same order from the same database. A file appears complete or not at all. Personal
data in texts is replaced by placeholders, numbered within a row; raters get pseudonyms.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from backend.domain.errors import BadInput
from backend.domain.example import Example
from backend.knowledge.ranking import ARTICLE_THRESHOLD, passages_for
from backend.knowledge.store import solved_tickets
from backend.privacy.detect import Recogniser
from backend.privacy.placeholders import Placeholders
from backend.services.redact import anonymous, known_contact
from backend.store.ratings import RatedCandidate, SentReply, current_ratings, salt_for, sent_replies
from backend.system.files import write_private

GOOD_ENOUGH_TO_LEARN = 4.5  # the weighted mean from which a candidate becomes an example itself
_PSEUDONYM_CHARACTERS = 12


def export_ratings(path: Path, *, db: Database, recogniser: Recogniser | None = None) -> int:
    """Write the current ratings with what they are about, oldest first; how many.

    A rater is `rater-` and a hash that is the same in every export of this database, and in no
    other database's.
    """
    salt = salt_for("raters", db=db)
    rows = [_rating_row(rated, salt, recogniser) for rated in current_ratings(db=db)]
    return _write(path, [json.dumps(row, ensure_ascii=False) for row in rows])


def export_examples(
    path: Path,
    *,
    db: Database,
    articles: int = 0,
    solved: int = 0,
    threshold: float = ARTICLE_THRESHOLD,
    recogniser: Recogniser | None = None,
) -> int:
    """Write question and answer pairs to learn from; how many.

    First the solved tickets (`source` is `ticket:` and the id), then what agents sent (`sent:`),
    ideal answers of raters (`ideal:`) and candidates that all their raters found excellent
    (`rated:`). The same pair comes once. With `articles` and `solved`, each has up to so many
    passages that search finds for it now, the ticket itself left out.
    """

    def complete(found: _Found) -> _Found:
        if not (articles or solved):
            return found
        passages = passages_for(
            found.example.question,
            db=db,
            articles=articles,
            solved=solved,
            threshold=threshold,
            exclude_source=found.ticket_id or found.example.source,
        )
        return replace(found, example=replace(found.example, passages=tuple(passages)))

    examples: dict[tuple[str, str], _Found] = {}
    for found in _examples(db):
        examples.setdefault((found.example.question, found.example.answer), found)
    redacted = (_redacted(complete(found), recogniser) for found in examples.values())
    return _write(path, [example.to_json() for example in redacted])


@dataclass(frozen=True)
class _Found:
    """An example, with the help desk's own id of its ticket and what it says of the contact."""

    example: Example
    ticket_id: str
    contact: str = ""


def _redacted(found: _Found, recogniser: Recogniser | None) -> Example:
    """The example without personal data: question and answer share their placeholders."""
    example = found.example
    placeholders = Placeholders(known_contact(found.contact), recogniser=recogniser)
    return replace(
        example,
        question=placeholders.redact(example.question),
        answer=placeholders.redact(example.answer),
        passages=tuple(anonymous(passage, recogniser=recogniser) for passage in example.passages),
    )


def _examples(db: Database) -> Iterator[_Found]:
    """Each example, most trusted sources first."""
    for ticket in solved_tickets(db=db):
        example = Example(
            question=ticket.asked,
            answer=ticket.answer,
            source=f"ticket:{ticket.id}",
            language=ticket.language,
            created=ticket.created,
        )
        yield _Found(example, ticket.id)
    for reply in sent_replies(db=db):
        if reply.text.strip():
            yield _found(f"sent:{reply.outcome_id}", reply.text, reply)
    ratings = current_ratings(db=db)
    for rated in ratings:
        ideal = rated.rating.ideal_answer
        if ideal.strip():
            yield _found(f"ideal:{rated.rating_id}", ideal, rated)
    for rated in _excellent(ratings):
        yield _found(f"rated:{rated.candidate_id}", rated.text, rated)


def _found(source: str, answer: str, origin: RatedCandidate | SentReply) -> _Found:
    example = Example(
        question=origin.question,
        answer=answer,
        source=source,
        language=origin.language,
        created=origin.created,
    )
    return _Found(example, origin.external_id, origin.contact)


def _excellent(ratings: Iterable[RatedCandidate]) -> list[RatedCandidate]:
    """One rating of each candidate of which every rating is excellent and none is critical."""
    by_candidate: dict[str, list[RatedCandidate]] = {}
    for rated in ratings:
        by_candidate.setdefault(rated.candidate_id, []).append(rated)
    return [
        given[0]
        for given in by_candidate.values()
        if given[0].text.strip() and all(_is_excellent(rated) for rated in given)
    ]


def _is_excellent(rated: RatedCandidate) -> bool:
    mean = rated.overall
    return mean is not None and mean >= GOOD_ENOUGH_TO_LEARN and not rated.rating.critical


def _rating_row(rated: RatedCandidate, salt: str, recogniser: Recogniser | None) -> dict[str, Any]:
    rating = rated.rating
    placeholders = Placeholders(known_contact(rated.contact), recogniser=recogniser)
    return {
        "id": rated.rating_id,
        "candidate": rated.candidate_id,
        "suggestion": rated.suggestion_id,
        "label": rated.label,
        "model": rated.model,
        "rubric": rating.rubric.name,
        "rubric_version": rating.rubric.version,
        "rater": _pseudonym(rating.rater, salt),
        "scores": dict(sorted(rating.scores.items())),
        "overall": rated.overall,
        "critical": rating.critical,
        "question": placeholders.redact(rated.question),
        "text": placeholders.redact(rated.text),
        "comment": placeholders.redact(rating.comment),
        "ideal_answer": placeholders.redact(rating.ideal_answer),
        "language": rated.language,
        "created": rated.created,
    }


def _pseudonym(rater: str, salt: str) -> str:
    digest = hashlib.sha256(f"{salt}\n{rater}".encode()).hexdigest()
    return f"rater-{digest[:_PSEUDONYM_CHARACTERS]}"


def _write(path: Path, lines: Sequence[str]) -> int:
    try:
        write_private(path, "".join(line + "\n" for line in lines))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}. Choose a folder that can be written to."
        ) from error
    return len(lines)
