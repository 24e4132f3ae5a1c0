"""Splitting: how many rows one customer may have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trainer.data.splits import CUSTOMER_SHARE, largest_cap


class CountedSizes(list[int]):
    """The sizes of customers, which counts how many of them were read."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__(sizes)
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        for size in super().__iter__():
            self.read += 1
            yield size


def tried_one_by_one(sizes: list[int], others: int) -> int | None:
    for cap in range(max(sizes, default=0), 0, -1):
        if cap <= CUSTOMER_SHARE * (others + sum(min(size, cap) for size in sizes)):
            return cap
    return None


@pytest.mark.parametrize("others", [0, 1, 19, 20, 300])
@pytest.mark.parametrize(
    "sizes", [[], [1], [5] * 19, [5] * 20, [60, *[1] * 100], [1, 2, 3, 50, 400, *[7] * 30]]
)
def test_the_cap_is_the_largest_that_holds(sizes: list[int], others: int) -> None:
    assert largest_cap(sizes, others) == tried_one_by_one(sizes, others)


def test_the_work_grows_with_the_customers_not_with_the_largest_of_them() -> None:
    def sizes_read(customers: int, largest: int) -> int:
        sizes = CountedSizes([1] * customers + [largest])
        assert largest_cap(sizes, 0)
        return sizes.read

    assert sizes_read(20_000, 8_000) <= 20 * 20_000
    assert sizes_read(20_000, 32_000) <= 1.2 * sizes_read(20_000, 8_000)
    assert sizes_read(80_000, 8_000) <= 4.1 * sizes_read(20_000, 8_000)
