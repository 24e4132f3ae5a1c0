"""Expressions that announce a name: `my name is`, `Mr`, a greeting, `From:` in a quoted mail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from backend.privacy.gazetteer import lines

_SHORTEST_BEGINNING = 3


@dataclass(frozen=True)
class Cue:
    """An expression; after a strong one nearly every capitalised word is a name."""

    words: str
    strong: bool
    needs_colon: bool


@lru_cache(maxsize=20_000)
def cue_for(words: str) -> Cue | None:
    """The cue that these lower-case words are, if they are one."""
    cues = _cues()
    if words in cues or " " in words:
        return cues.get(words)
    for end in range(len(words), _SHORTEST_BEGINNING - 1, -1):
        if words[:end] + "*" in cues:
            return cues[words[:end] + "*"]
    return None


@lru_cache(maxsize=1)
def _cues() -> dict[str, Cue]:
    cues: dict[str, Cue] = {}
    for file, strong in (("greetings.txt", False), ("before_names.txt", True)):
        for line in lines(file):
            words = line.removesuffix(":")
            cues[words] = Cue(words, strong, line.endswith(":"))
    return cues
