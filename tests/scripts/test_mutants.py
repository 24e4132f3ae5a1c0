"""The score of the tests: what share of planted faults they notice."""

from __future__ import annotations

from scripts.mutants import table

KILLED, SURVIVED, NOT_TESTED, TIMED_OUT = 1, 0, 33, 36


def test_a_fault_that_no_test_runs_counts_as_one_that_lived() -> None:
    verdicts = {
        "backend.store.queue.x_claim__mutmut_1": KILLED,
        "backend.store.queue.x_claim__mutmut_2": SURVIVED,
        "backend.store.queue.x_claim__mutmut_3": NOT_TESTED,
        "backend.store.queue.x_claim__mutmut_4": TIMED_OUT,
        "backend.domain.rating.x_overall__mutmut_1": KILLED,
    }

    rows = [line.split() for line in table(verdicts).splitlines()[1:]]

    assert rows == [
        ["domain", "1", "0", "0", "100.0%"],
        ["store", "4", "1", "1", "50.0%"],
        ["all", "5", "1", "1", "60.0%"],
    ]


def test_nothing_planted_is_no_division_by_zero() -> None:
    assert table({}).splitlines()[1].split() == ["all", "0", "0", "0", "0.0%"]
