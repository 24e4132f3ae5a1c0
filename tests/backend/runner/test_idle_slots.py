"""What the cache keeps of replies that have ended."""

from __future__ import annotations

from tests.backend.runner.schedulers import Asked, Schedulers, ask

SHARED = "shared beginning, longer than the least " * 3


def test_idle_slots_hold_little_that_nobody_shares(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=4, cells=2048)
    for letter in "abcd":
        asked = Asked(SHARED + letter * 300)
        ask(scheduler, asked)
        asked.end()

    held = sum(max(0, len(slot.held) - len(SHARED)) for slot in scheduler.cache.slots)

    assert 300 <= held <= 512
    again = Asked(SHARED + "d" * 300)
    ask(scheduler, again)
    assert again.cached() == len(SHARED) + 299
