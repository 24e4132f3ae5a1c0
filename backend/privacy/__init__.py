"""Personal data to placeholders and back.

`find` says where personal data stands in a text; `Placeholders` replaces it for one ticket and
puts it back; `generic` takes the numbers off placeholders that belong to another ticket. What finds
is imported when it is first asked for, and its lists are read with the first text.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from backend.privacy.labels import (
    LABELS,
    PLACEHOLDER,
    Label,
    Span,
    generic,
    placeholders_in,
    without_half,
)

if TYPE_CHECKING:
    from backend.privacy.finding import Recogniser, find
    from backend.privacy.known import Known
    from backend.privacy.placeholders import Placeholders
    from backend.privacy.plugging import recogniser_named
    from backend.privacy.warming import warm_up

_WHERE = {
    "Known": "known",
    "Placeholders": "placeholders",
    "Recogniser": "finding",
    "find": "finding",
    "recogniser_named": "plugging",
    "warm_up": "warming",
}

__all__ = [
    "LABELS",
    "PLACEHOLDER",
    "Known",
    "Label",
    "Placeholders",
    "Recogniser",
    "Span",
    "find",
    "generic",
    "placeholders_in",
    "recogniser_named",
    "warm_up",
    "without_half",
]


def __getattr__(name: str) -> Any:
    """What finds personal data, imported at its first use: web views need only the labels."""
    if name not in _WHERE:
        raise AttributeError(f"backend.privacy has no {name}.")
    return getattr(importlib.import_module(f"backend.privacy.{_WHERE[name]}"), name)
