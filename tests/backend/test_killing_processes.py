"""`kill -9` at any moment: every suggestion still completes, and once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import fill
from tests.product import Product, alive, running

IN_FLIGHT = 12
MODULES = ("backend.app", "backend.worker", "backend.runner")
LONG = {"SUGGEST_ANSWER_SUGGEST__ANSWER_TOKENS": "900"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product of its own, whose tiny models write long answers."""
    state_dir = tmp_path_factory.mktemp("killed")
    fill(state_dir)
    with running(state_dir, environment=LONG) as product:
        yield product


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_lost_or_doubled(busy: Product, module: str) -> None:
    asked = [
        busy.suggest(f"I forgot my password and cannot log in any more. ({module} {number})")["id"]
        for number in range(IN_FLIGHT)
    ]
    busy.wait_until(lambda: _writing(busy) > 0)

    assert busy.kill(module) > 0

    found = [busy.finished(suggestion) for suggestion in asked]
    assert [suggestion["state"] for suggestion in found] == ["done"] * IN_FLIGHT
    states = [candidate["state"] for suggestion in found for candidate in suggestion["candidates"]]
    assert states == ["done"] * (3 * IN_FLIGHT)
    rows = list(
        busy.db.query(
            "SELECT suggestion_id, count(*) AS candidates, sum(finished IS NOT NULL) AS ended "
            "FROM candidates GROUP BY suggestion_id"
        )
    )
    assert {(row["candidates"], row["ended"]) for row in rows} == {(3, 3)}
    busy.wait_until(busy.ready)


def test_every_process_is_killed_at_once_and_the_work_goes_on(busy: Product) -> None:
    asked = [
        busy.suggest(f"I forgot my password and cannot log in any more. ({number})")["id"]
        for number in range(4)
    ]
    busy.wait_until(lambda: _writing(busy) > 0)

    for module in MODULES:
        busy.kill(module)

    found = [busy.finished(suggestion) for suggestion in asked]
    assert [suggestion["state"] for suggestion in found] == ["done"] * 4


def test_a_supervisor_that_is_killed_takes_its_children_along(tmp_path: Path) -> None:
    fill(tmp_path)
    with running(tmp_path) as product:
        found = [product.children(module) for module in MODULES]
        assert all(found)

        product.process.kill()

        product.wait_until(lambda: not any(alive(pid) for pids in found for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ending_it_ends_every_child(tmp_path: Path, number: signal.Signals) -> None:
    fill(tmp_path)
    with running(tmp_path) as product:
        asked = product.suggest("word " * 400)
        found = [product.children(module) for module in MODULES]
        assert all(found)
        begun = time.monotonic()

        os.kill(product.process.pid, number)

        assert product.process.wait(timeout=15) == 0
        assert time.monotonic() - begun < 10
        product.wait_until(lambda: not any(alive(pid) for pids in found for pid in pids))
    with running(tmp_path) as product:
        assert product.finished(asked["id"])["state"] == "done"


def _writing(product: Product) -> int:
    (count,) = product.db.execute(
        "SELECT count(*) FROM candidates WHERE state = 'writing'"
    ).fetchone()
    return int(count)
