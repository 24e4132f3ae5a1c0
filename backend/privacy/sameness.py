"""When two finds are one: the same number grouped otherwise, the same person inflected."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.privacy.known import WORD
from backend.privacy.labels import Label
from backend.privacy.spelling import stem

_SEPARATORS = re.compile(r"[\s().\-–/]")
_GROUPED: frozenset[Label] = frozenset({"PHONE", "CARD", "IBAN", "TAX_ID", "PASSPORT"})
_AS_IT_IS: frozenset[Label] = frozenset({"SECRET", "USERNAME"})


@dataclass
class Person:
    """Somebody in a ticket: the name as first seen, and the number of the placeholder if any."""

    name: str
    number: int | None


def canonical(label: Label, value: str) -> str:
    """What two spellings of one value have in common."""
    if label in _GROUPED:
        return _SEPARATORS.sub("", value).upper()
    return value if label in _AS_IT_IS else " ".join(value.casefold().split())


def same_person(one: str, other: str) -> bool:
    """Whether all words of the shorter name are forms of words of the longer one."""
    shorter, longer = sorted((_stems(one), _stems(other)), key=len)
    return bool(shorter) and shorter <= longer


def _stems(name: str) -> set[str]:
    return {stem(word.removesuffix("'s").removesuffix("’s")) for word in WORD.findall(name)}
