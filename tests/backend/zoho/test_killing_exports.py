"""Exports as real processes, killed at random: same bytes as one that was left in peace."""

from __future__ import annotations

from pathlib import Path

from tests.zoho.commands import connect, digests, killed, run
from tests.zoho.local import local_zoho

KILLS = 8


def test_an_export_killed_at_random_gives_the_same_bytes(tmp_path: Path) -> None:
    peaceful, disturbed = tmp_path / "peaceful", tmp_path / "disturbed"
    with local_zoho(tickets=300, cases=60) as zoho:
        for state_dir in (peaceful, disturbed):
            assert connect(zoho, state_dir).returncode == 0
        done = run(peaceful, "export", "--desk", "--crm")
        assert done.returncode == 0, done.stderr
        calls = len(zoho.seen()["paths"])
        zoho.fault("slow", "/tickets/|/Cases/", times=-1, seconds=0.004)

        sizes = list(
            killed(disturbed, "export", "--desk", "--crm", times=KILLS, seconds=2.0, seed=1)
        )
        again = len(zoho.seen()["paths"]) - calls

    assert len(sizes) == KILLS
    assert len(digests(peaceful)) == 4
    assert digests(disturbed) == digests(peaceful)
    assert again < 2 * calls  # it went on each time, and did not begin again
