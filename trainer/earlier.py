"""A folder that holds a finished training is cleared before another one begins there."""

from __future__ import annotations

from pathlib import Path

from backend.domain.errors import BadInput
from trainer.adapter import ADAPTER_FILES
from trainer.chat import TEMPLATE
from trainer.record import RECORD, Record, read_record
from trainer.watching import CURVES, SAMPLES, SAMPLES_TEXT

_OF_A_TRAINING = (RECORD, *ADAPTER_FILES, TEMPLATE, CURVES, SAMPLES, SAMPLES_TEXT)


def finished(folder: Path) -> Record | None:
    """The record of the training that was finished in a folder; None if it cannot be read."""
    try:
        return read_record(folder)
    except BadInput:
        return None


def set_aside(folder: Path) -> Path | None:
    """Moves what a finished training left in a folder into a new one inside, which is returned.

    Else `merge` would take the old adapter for the new one's, should that never come to its end.
    """
    if not (folder / RECORD).exists():
        return None
    number = 1 + sum(1 for _ in folder.glob("earlier-*"))
    place = folder / f"earlier-{number}"
    place.mkdir()
    for name in _OF_A_TRAINING:  # the record first: without it nothing is merged
        if (folder / name).exists():
            (folder / name).rename(place / name)
    return place
