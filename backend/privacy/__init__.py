"""Personal data to placeholders and back.

`find` says where personal data stands in a text; `Placeholders` replaces it for one ticket and
puts it back; `generic` takes the numbers off placeholders that belong to another ticket. Nothing
here reads a file or loads a word list before the first text.
"""

from backend.privacy.finding import Recogniser, find
from backend.privacy.known import Known
from backend.privacy.labels import (
    LABELS,
    PLACEHOLDER,
    Label,
    Span,
    generic,
    placeholders_in,
    without_half,
)
from backend.privacy.placeholders import Placeholders

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
    "without_half",
]
