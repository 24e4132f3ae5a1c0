"""What stays in memory of each row while splits are made: some three hundred bytes, no text."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.domain.errors import BadInput
from backend.intake.deduplication import PERMUTATIONS
from trainer.data.rows import TRUST, Row, rows_in, words_hash


@dataclass(frozen=True, slots=True)
class Light:
    """What is known of a row while splits are made; its text stays on disk."""

    source: str
    customer: str
    created: str
    trust: int
    asked: str
    answered: str
    part: Path
    place: int

    @property
    def age(self) -> tuple[str, str]:
        """A key by which rows go from old to new, always in the same order."""
        return self.created, self.source


def lightened(
    parts: Iterable[Path], dropped: Counter[str]
) -> tuple[list[Light], npt.NDArray[np.uint32]]:
    """What is to be known of all rows in these parts, with their MinHash signatures.

    Raises BadInput if two tickets of a JSONL file have one id but not the same words.
    """
    rows: list[Light] = []
    marks: list[npt.NDArray[np.uint32]] = []
    for part in parts:
        for place, row in rows_in(part):
            if row.dropped:
                dropped[row.dropped] += 1
                continue
            rows.append(_light(row, part, place))
            marks.append(np.frombuffer(base64.b85decode(row.signature), dtype="<u4"))
    _refuse_equal_ids(rows)
    empty = np.zeros((0, PERMUTATIONS), dtype=np.uint32)
    return rows, np.stack(marks) if marks else empty


def _light(row: Row, part: Path, place: int) -> Light:
    kind = row.source.partition(":")[0]
    return Light(
        source=row.source,
        customer=row.customer,
        created=row.created,
        trust=TRUST.index(kind) if kind in TRUST else 0,
        asked=words_hash(row.question),
        answered=words_hash(row.answer),
        part=part,
        place=place,
    )


def _refuse_equal_ids(rows: Sequence[Light]) -> None:
    words: dict[str, tuple[str, str]] = {}
    often = [
        row.source
        for row in rows
        if words.setdefault(row.source, (row.asked, row.answered)) != (row.asked, row.answered)
        and row.source.startswith("ticket:")
    ]
    if often:
        raise BadInput(
            f"There are {len(often)} ids that stand for several tickets, "
            f"{often[0].removeprefix('ticket:')} among them. Splits go by id, so each ticket needs "
            "its own."
        )
