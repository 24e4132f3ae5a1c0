"""Personal data to placeholders and back.

Here: what personal data is called, how a find is told, and what a placeholder looks like. What
finds it takes a while to import, so none of that is imported here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Label = Literal[
    "NAME",
    "EMAIL",
    "PHONE",
    "ADDRESS",
    "CARD",
    "IBAN",
    "TAX_ID",
    "PASSPORT",
    "IP",
    "ORDER_ID",
    "CUSTOMER_ID",
    "USERNAME",
    "DATE_OF_BIRTH",
    "SECRET",
]
LABELS: tuple[Label, ...] = get_args(Label)

_NAMES = "|".join(LABELS)
PLACEHOLDER = re.compile(rf"\[(?P<label>{_NAMES})(?:_(?P<number>[1-9]\d{{0,5}}))?\]", re.ASCII)
"""`[NAME_1]` of one ticket, or the generic `[NAME]`, which stands for nobody in particular."""

_HALF = re.compile(r"\[[A-Z_]{0,13}(?:_\d{0,6})?\Z", re.ASCII)


@dataclass(frozen=True)
class Span:
    """A find: `text[start:end] == value`. `why` says in a few words what gave it away."""

    start: int
    end: int
    label: Label
    value: str
    why: str = ""


def generic(text: str) -> str:
    """The text with `[NAME]` for `[NAME_2]`: for what another ticket's customer wrote.

    A generic placeholder is restored by no map, so it counts as unresolved wherever it turns up.
    """
    return PLACEHOLDER.sub(r"[\g<label>]", text)


def without_half(text: str) -> str:
    """The text up to a placeholder that may still be growing at its end, as `[NAM` in a stream."""
    return _HALF.sub("", text)


def placeholders_in(text: str) -> tuple[str, ...]:
    """Every placeholder in a text, in order, each once."""
    return tuple(dict.fromkeys(match.group() for match in PLACEHOLDER.finditer(text)))
