"""The rules of one step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from backend.runner.batching import ChunkPace, share, whole_rows
from backend.runner.slots import common_prefix

TOKENS = some.lists(some.integers(0, 2), max_size=30)


@given(TOKENS, TOKENS, TOKENS)
def test_the_common_beginning_is_found(
    beginning: list[int], one_end: list[int], other_end: list[int]
) -> None:
    first, second = beginning + one_end, beginning + other_end

    count = common_prefix(first, second)

    assert first[:count] == second[:count]
    assert first[count : count + 1] != second[count : count + 1] or first == second
    assert count >= len(beginning)


@given(some.integers(0, 300), some.lists(some.integers(1, 400), max_size=6))
def test_no_more_is_shared_than_there_is_and_all_of_it_if_it_is_needed(
    budget: int, remaining: list[int]
) -> None:
    shares = share(budget, remaining)

    assert sum(shares) == min(budget, sum(remaining))
    assert all(0 <= given <= needed for given, needed in zip(shares, remaining, strict=True))


def test_the_shortest_prompt_goes_first_and_the_oldest_always_goes_on() -> None:
    assert share(100, [1000, 50, 60]) == [25, 50, 25]


def test_a_chunk_is_small_only_while_somebody_is_writing() -> None:
    pace = ChunkPace(largest=256, target_seconds=0.4)
    assert pace.chunk(writing=True) == 256

    pace.observe(tokens=100, seconds=1.0)

    assert pace.chunk(writing=True) == 40
    assert pace.chunk(writing=False) == 256


def test_a_chunk_is_never_so_small_that_reading_stops() -> None:
    pace = ChunkPace(largest=256, target_seconds=0.4)

    pace.observe(tokens=100, seconds=100.0)

    assert pace.chunk(writing=True) == 16


def test_short_steps_say_nothing_about_reading() -> None:
    pace = ChunkPace(largest=256, target_seconds=0.4)

    pace.observe(tokens=4, seconds=9.0)

    assert pace.chunk(writing=True) == 256


def test_a_chunk_and_what_is_written_beside_it_fill_whole_rows() -> None:
    assert [whole_rows(60, beside=n) for n in range(5)] == [48, 47, 46, 45, 60]
    assert whole_rows(9, beside=3) == 9
