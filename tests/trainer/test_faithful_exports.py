"""An export tells what it changed, refuses what changes too much, and can be cut off anywhere."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain.errors import UnfaithfulModel
from backend.domain.model_card import ModelCard
from tests.trainer.tiny_models import CONFIGS, byte_level_tokenizer, write_model
from trainer.cli import main
from trainer.gguf.export import Export, Steps, bytes_to_write, export
from trainer.gguf.parity import ComparisonSize, Continuation, Parity, check, compared
from trainer.gguf.quantise import QUANTISATIONS, ParityLimits
from trainer.record import card_path

SMALL = ComparisonSize(prompts=2, tokens=6)
SAME = Parity(
    kl=1e-6, largest_difference=0.1, same_top=1.0, same_greedy=1.0,
    reference_loss=2.0, loss=2.0, perplexity_change=0.0, prompts=2, positions=900,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kl": 0.2}, "KL 2.0e-01, where 1e-01 is accepted"),
        ({"kl": float("nan")}, "KL nan"),
        ({"perplexity_change": 0.06}, r"perplexity \+6\.00%, where 5\.0% is"),
        ({"perplexity_change": -0.06}, r"perplexity -6\.00%"),
        ({"same_top": 0.89}, r"favourite in 89\.0%, where 90% is asked"),
    ],
)
def test_each_difference_has_a_limit(change: dict[str, float], says: str) -> None:
    limits = ParityLimits(0.1, 0.05, same_top=0.9)
    check(SAME, limits, step="convert")

    with pytest.raises(UnfaithfulModel, match=says):
        check(replace(SAME, **change), limits, step="convert")  # type: ignore[arg-type]
    check(replace(SAME, kl=0.15, perplexity_change=0.09), limits.times(2), step="quantise")


def test_fewer_bits_may_change_more() -> None:
    limits = [QUANTISATIONS[kind].limits for kind in ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M")]

    assert sorted(limits, key=lambda parity: parity.kl) == limits
    assert sorted(limits, key=lambda parity: parity.perplexity_change) == limits
    assert limits[-1].kl < 0.1


def test_a_ruined_model_is_refused_unless_that_is_accepted_and_told(tmp_path: Path) -> None:
    """Random weights, far wider than trained ones: four bits leave little of them."""
    config = CONFIGS["llama"]()
    config.initializer_range = 0.25
    model = write_model(tmp_path / "model", config, byte_level_tokenizer())
    out = tmp_path / "a.gguf"

    with pytest.raises(UnfaithfulModel, match="'quantise to Q4_K_M' changed"):
        export(Export(model, out, "Q4_K_M", comparison=SMALL))
    assert not out.exists()
    command = f"export --model {model} --out {out} --quantisation Q4_K_M --accept 100"
    assert main(command.split()) == 0

    card = ModelCard.from_json(card_path(out).read_bytes())
    assert card.metrics["accepted_times_the_limits"] == 100
    assert card.metrics["parity_q4_k_m"]["kl"] > QUANTISATIONS["Q4_K_M"].limits.kl


def test_a_resumed_export_asks_for_what_is_still_to_be_written(
    merged: Path, tmp_path: Path
) -> None:
    steps = Steps(tmp_path / "work")
    wanted = Export(
        merged, tmp_path / "a.gguf", "Q8_0", name="a", work=steps.folder, comparison=SMALL
    )
    before = bytes_to_write(wanted, steps, SMALL)
    plain = replace(wanted, kind="F16")
    export(plain)

    assert bytes_to_write(plain, steps, SMALL) == 0
    left = bytes_to_write(wanted, steps, SMALL)
    assert 0 < left < before / 3
    export(wanted)
    assert bytes_to_write(wanted, steps, SMALL) == 0
    assert bytes_to_write(replace(wanted, name="b"), steps, SMALL) == before


@pytest.mark.parametrize("last", ["a.model_card.json", "a.gguf"])
def test_an_export_cut_off_at_its_end_goes_on(merged: Path, tmp_path: Path, last: str) -> None:
    """A folder stands where the file should: writing it fails as a full disk would."""
    wanted = Export(merged, tmp_path / "a.gguf", "Q8_0", comparison=SMALL)
    (tmp_path / last).mkdir()
    with pytest.raises(OSError, match=last):
        export(wanted)
    made = (tmp_path / "a.steps" / "Q8_0.gguf").stat().st_mtime_ns

    (tmp_path / last).rmdir()
    card = export(wanted)

    assert (tmp_path / "a.gguf").stat().st_mtime_ns == made
    assert ModelCard.from_json(card_path(wanted.out).read_bytes()) == card
    assert not (tmp_path / "a.steps").exists()


def test_a_comparison_needs_little_more_room_than_its_logits() -> None:
    chance = np.random.default_rng(1)
    expected = chance.normal(size=(300, 4000)).astype(np.float32)
    got = expected + chance.normal(scale=0.1, size=expected.shape).astype(np.float32)
    ids = (7, *(int(token) for token in expected.argmax(axis=1)[:-1]))

    tracemalloc.start()
    found = compared(Continuation(ids, prompt_tokens=200), expected, got)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    logs, others = (
        logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        for logits in (expected.astype(np.float64), got.astype(np.float64))
    )
    places = np.arange(199)
    assert found["kl"] == pytest.approx((np.exp(logs) * (logs - others)).sum())
    assert found["loss"] == pytest.approx(-others[places, ids[1:200]].sum())
    assert found["reference_loss"] == pytest.approx(-logs[places, ids[1:200]].sum())
    assert found["same_top"] == (expected.argmax(axis=1) == got.argmax(axis=1)).sum()
    favourites = expected.argmax(axis=1), got.argmax(axis=1)
    leads = [log[ours] - log[theirs] for log, ours, theirs in zip(logs, *favourites, strict=True)]
    assert found["lost_lead"] == pytest.approx(max(leads))
    assert found["lost_lead"] > 0
    assert found["largest"] == pytest.approx(np.abs(expected - got).max())
    assert (found["counted"], found["positions"]) == (199, 300)
    assert peak < 4 * expected.nbytes


def test_the_same_text_is_told_from_another() -> None:
    expected = np.eye(6, dtype=np.float32)[[1, 2, 3, 4, 5]]
    text = Continuation((0, 1, 2, 3, 4), prompt_tokens=2)

    assert compared(text, expected, expected)["same_greedy"] == 1.0
    assert compared(text, expected, expected)["lost_lead"] == 0.0
    assert compared(replace(text, ids=(0, 5, 2, 3, 4)), expected, expected)["same_greedy"] == 1.0
    assert compared(replace(text, ids=(0, 1, 2, 3, 5)), expected, expected)["same_greedy"] == 0.0
    assert compared(text, expected, expected[[0, 0, 2, 3, 4]])["same_greedy"] == 0.0
