"""What one step of the engine computes: pure rules, no llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_CHUNK = 16
SHARE_OF_OLDEST = 4
ROWS = 16  # llama.cpp's matrix kernels take so many tokens at once; 16 are faster than 13


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:  # one[:low] is equal, one[:high] is not
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def share(room: int, remaining: Sequence[int]) -> list[int]:
    """How many prompt tokens each prompt may feed in this step; `remaining` is oldest first.

    The shortest go first, since they can then begin to write soonest; the oldest has a quarter
    for certain, so that a stream of short prompts cannot starve a long one.
    """
    shares = [0] * len(remaining)
    if not remaining:
        return shares
    shares[0] = min(remaining[0], -(-room // SHARE_OF_OLDEST))
    room -= shares[0]
    for index in sorted(range(len(remaining)), key=lambda index: remaining[index]):
        more = min(room, remaining[index] - shares[index])
        shares[index] += more
        room -= more
    return shares


def whole_rows(room: int, *, beside: int) -> int:
    """At most so many prompt tokens that a batch with `beside` others is full rows of a kernel.

    What is left over costs up to three times as much for each token.
    """
    whole = (room + beside) // ROWS * ROWS - beside
    return whole if whole > 0 else room


class ChunkPace:
    """How many prompt tokens a step may hold so that replies being written do not stall."""

    def __init__(self, *, largest: int, target_seconds: float) -> None:
        self._largest = largest
        self._target_seconds = target_seconds
        self._seconds_per_token = 0.0

    def observe(self, tokens: int, seconds: float) -> None:
        """Note how long a step with this many tokens took; short steps say little."""
        if tokens < LEAST_CHUNK:
            return
        now = seconds / tokens
        known = self._seconds_per_token
        self._seconds_per_token = now if not known else 0.7 * known + 0.3 * now

    def chunk(self, *, writing: bool) -> int:
        """The most prompt tokens for the next step: all that fit if nobody is writing."""
        if not writing or not self._seconds_per_token:
            return self._largest
        fitting = int(self._target_seconds / self._seconds_per_token)
        return max(LEAST_CHUNK, min(self._largest, fitting))
