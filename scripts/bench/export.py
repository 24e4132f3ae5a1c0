"""Exports from the local Zoho: speed, credits, and the same bytes after 20 kills at random.

A local Zoho runs as a process of its own, on the same cores. `suggest-answer zoho export --desk`
runs once in peace, and once killed by SIGKILL after random times; then the files are compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from backend.zoho.connection import ConnectionFile
from tests.zoho.commands import connect, digests, killed, raw, run, size
from tests.zoho.local import LocalZoho, local_zoho


def main() -> None:
    """Prints the forecast, both exports and whether they are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, local_zoho(tickets=asked.tickets) as zoho:
        peaceful, disturbed = Path(folder) / "peaceful", Path(folder) / "disturbed"
        for state_dir in (peaceful, disturbed):
            if connect(zoho, state_dir).returncode or not ConnectionFile(state_dir / "zoho").read():
                sys.exit("the local Zoho did not let us sign in")
        print(run(peaceful, "export", "--desk", "--forecast").stdout)
        seconds = _peaceful(zoho, peaceful)
        _disturbed(zoho, disturbed, seconds, asked.kills, asked.seed)
        same = digests(peaceful) == digests(disturbed)
        for name, digest in digests(disturbed).items():
            lines = sum(1 for _ in (raw(disturbed) / name).open("rb"))
            print(f"  {name}: {lines:,} lines, sha256 {digest}")
        print(f"same bytes: {'yes' if same else 'NO'}")
    sys.exit(0 if same else 1)


def _peaceful(zoho: LocalZoho, state_dir: Path) -> float:
    before, started = len(zoho.seen()["paths"]), time.monotonic()
    done = run(state_dir, "export", "--desk")
    seconds = time.monotonic() - started
    calls = len(zoho.seen()["paths"]) - before
    if done.returncode:
        sys.exit(done.stderr)
    print("\n".join(line for line in done.stdout.splitlines() if line.startswith(("desk", "This"))))
    print(
        f"in peace: {seconds:.0f} s, {calls:,} calls ({calls / seconds:,.0f}/s), "
        f"{size(state_dir) / 1e6:.1f} MB"
    )
    return seconds


def _disturbed(zoho: LocalZoho, state_dir: Path, seconds: float, kills: int, seed: int) -> None:
    before, started = len(zoho.seen()["paths"]), time.monotonic()
    sizes = list(
        killed(
            state_dir, "export", "--desk", times=kills, seconds=2 * seconds / (kills + 1), seed=seed
        )
    )
    calls = len(zoho.seen()["paths"]) - before
    print(f"killed {len(sizes)} times at MB: {', '.join(f'{kept / 1e6:.1f}' for kept in sizes)}")
    print(f"killed: {time.monotonic() - started:.0f} s, {calls:,} calls")


if __name__ == "__main__":
    main()
