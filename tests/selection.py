"""Which test files a `-k` can mean, told without importing them."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def files_with(expression: str) -> list[Path]:
    """Files whose path or text holds a word of a `-k`; none if all files must be looked at.

    All must be for a `not`, and for a word that stands nowhere: it may be part of a computed name.
    """
    words = re.findall(r"[^\s()]+", expression.lower())
    if "not" in words:
        return []
    pieces = [re.findall(r"\w+", word) for word in words if word not in ("and", "or")]
    wanted = [max(piece, key=len) for piece in pieces if piece]
    return [
        file
        for file in sorted(TESTS.rglob("test_*.py"))
        for text in [f"{file.relative_to(TESTS.parent)}\n{file.read_text('utf-8')}".lower()]
        if any(word in text for word in wanted)
    ]
