"""Two processes that share layers and checkpoints wait for each other, however slow one is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.processes import ranks, start
from tests.trainer.together import train_awhile


def _told(number: int, base: Path, examples: Path, out: Path) -> dict[str, Any]:
    """What this many processes saw that trained together."""
    said = out / "said"
    running = [
        start(train_awhile, base, examples, out, said=said, environment=place)
        for place in ranks(number)
    ]
    for process in running:
        process.join(timeout=300)
        process.kill()
        assert process.exitcode == 0, said.read_text()
    told: dict[str, Any] = json.loads((out / "told.json").read_text("utf-8"))
    return told | {"won": torch.load(out / "won.pt", weights_only=True)}


@pytest.fixture(scope="module")
def alone(base: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _told(1, base, examples, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def together(
    base: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return _told(2, base, examples, tmp_path_factory.mktemp("together"))


def test_a_leader_that_is_slow_to_write_checkpoints_is_waited_for(
    alone: dict[str, Any], together: dict[str, Any]
) -> None:
    losses, expected = ([step["loss"] for step in told["steps"]] for told in (together, alone))
    assert losses == pytest.approx(expected, rel=1e-3)
    assert 2 < together["kept"] < len(losses)


def test_layers_are_split_again_before_the_way_back(
    alone: dict[str, Any], together: dict[str, Any]
) -> None:
    assert together["whole"] == {"before": 0, "measured": 0, "trained": 0}
    assert alone["whole"]["trained"] > 50_000


def test_the_best_weights_win_also_where_they_are_split(
    alone: dict[str, Any], together: dict[str, Any]
) -> None:
    measured = [measurement["loss"] for measurement in together["validation"]]
    assert 0 < measured.index(min(measured)) < len(measured) - 1

    mine, theirs = (
        torch.cat([weight.flatten() for name, weight in told["won"].items() if "lora_B" in name])
        for told in (alone, together)
    )
    assert torch.linalg.norm(theirs - mine) < 0.02 * torch.linalg.norm(mine)
