"""The labelled sets of `scripts.bench.privacy`, with their labels translated to the product's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.privacy import LABELS
from backend.privacy.detect.known import Known

LABEL_OF: dict[str, str] = {
    "PERSON": "NAME",
    "CREDIT_CARD": "CARD",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "PHONE_NUMBER": "PHONE",
    "STREET_ADDRESS": "ADDRESS",
    "US_SSN": "TAX_ID",
    "US_DRIVER_LICENSE": "PASSPORT",
    "BANK": "IBAN",
}
LABEL_OF |= {label: label for label in LABELS}
NOT_ASKED = frozenset(
    {"GPE", "ORGANIZATION", "DATE_TIME", "NRP", "AGE", "TITLE", "DOMAIN_NAME", "ZIP_CODE"}
)
KEEP = "KEEP"
"""A person marked this as what must stay: any find on it is wrong, whatever its label."""

UNCERTAIN = "?"
"""A label that ends so may be found or not: neither is right or wrong."""

NEITHER = {"DATE_TIME": "DATE_OF_BIRTH"}
"""A set that has one label for all dates cannot say whether a date of birth is found rightly."""

HANDWRITTEN = "handwritten"
"""The set that persons wrote to be hard; it is small and scored apart from the others."""


@dataclass(frozen=True)
class Gold:
    """What a person or a generator marked."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Row:
    """A text and what is private in it."""

    id: str
    set: str
    language: str
    text: str
    spans: tuple[Gold, ...]
    neither: tuple[Gold, ...] = ()
    kept: tuple[Gold, ...] = ()
    labelled: bool = True


def is_seen(row_id: str) -> bool:
    """Whether a row belongs to the half that rules may be written with."""
    return int(hashlib.sha256(row_id.encode()).hexdigest(), 16) % 2 == 0


def read_sets(folder: Path, half: str) -> list[Row]:
    """The rows of every set in a folder. Raises BadInput if there are none, or for a new label."""
    rows = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if half == "all" or is_seen(row["id"]) == (half == "seen"):
                rows.append(_row(row, file.stem.split("_")[0]))
    if not rows:
        raise BadInput(f"{folder} holds no labelled texts (*.jsonl). Name their folder.")
    return rows


def _row(row: dict[str, Any], name: str) -> Row:
    spans, neither, kept = [], [], []
    for span in row["spans"]:
        start, end, label = span["start"], span["end"], span["label"]
        if label == KEEP:
            kept.append(Gold(start, end, KEEP))
        elif label in LABEL_OF:
            spans.append(Gold(start, end, LABEL_OF[label]))
        elif uncertain := _uncertain(label):
            neither.append(Gold(start, end, uncertain))
        elif label not in NOT_ASKED:
            raise BadInput(f"{row['id']} has the label {label}, which nothing here maps.")
    return Row(
        id=str(row["id"]),
        set=name,
        language=str(row.get("lang", "")),
        text=str(row["text"]),
        spans=tuple(spans),
        neither=tuple(neither),
        kept=tuple(kept),
        labelled=bool(row["spans"]),
    )


def _uncertain(label: str) -> str:
    """The product's label of a span that may be found or not; empty for any other span."""
    if label.endswith(UNCERTAIN):
        return LABEL_OF.get(label.removesuffix(UNCERTAIN), "")
    return NEITHER.get(label, "")


def with_contact(row: Row) -> Known:
    """What a help desk would know of the first person in the text: the name as in a dictionary."""
    for span in row.spans:
        if span.label == "NAME":
            return Known(names=(_nominative(row.text[span.start : span.end], row.language),))
    return Known()


def _nominative(name: str, language: str) -> str:
    """The dictionary form of a Cyrillic name; a help desk's record is not inflected."""
    if language not in ("uk", "ru"):
        return name
    from backend.privacy.lexicon import nominative

    return " ".join(nominative(word, language).capitalize() for word in name.split())
