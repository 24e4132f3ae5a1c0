"""Turns the bytes of tokens into text that can be shown at once.

Never half a character, never the beginning of a stop text that may still become whole.
"""

from __future__ import annotations

import codecs


class GrowingText:
    """The text of one reply, given out piece by piece."""

    def __init__(self, stops: tuple[str, ...] = (), *, drop_first_space: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stops = stops
        self._held = ""
        self._drop_first_space = drop_first_space
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """Add a token's bytes; the text that is now certain. Sets `stopped` at a stop text."""
        text = self._decoder.decode(piece)
        if not text:
            return ""
        if self._drop_first_space:
            self._drop_first_space = False
            text = text.removeprefix(" ")
        if not self._stops:
            return text
        self._held += text
        return self._release()

    def finish(self) -> str:
        """What was held back, once nothing more comes; half a character is dropped."""
        held, self._held = self._held, ""
        return held

    def _release(self) -> str:
        held = self._held
        found = [place for stop in self._stops if (place := held.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return held[: min(found)]
        keep = max(_overlap(held, stop) for stop in self._stops)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if stop.startswith(text[-n:])), 0)
