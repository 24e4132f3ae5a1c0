"""From click to first painted word in the packed widget, against the backend alone.

Both sides in one run, in turn: a request to the backend until its event stream brings a word, and a
click in Chromium in the packed Desk widget until a word is painted; with calls that go directly and
through a local server that plays Zoho's proxy. Tiny models, so that their own time is next to
nothing. Prints medians (least-most), their ratio and their difference; aim: at most 150 ms.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from scripts.system_packages import BROWSER, NODE, found

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Measures and prints a line for each way of calling."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    node, browser = found(NODE), found(BROWSER)
    if not node or not browser:
        sys.exit("It needs node and chromium: `./scripts/test browser` installs both.")
    environment = {
        "SUGGEST_ANSWER_CHROMIUM": browser,
        **os.environ,
        "SUGGEST_ANSWER_PYTHON": sys.executable,
        "ROUNDS": str(rounds),
    }
    command = [node, "--test", "--test-reporter=tap", str(Path(__file__).with_suffix(".mjs"))]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    figures = [line for line in done.stdout.splitlines() if ": painted " in line]
    if done.returncode or not figures:
        sys.exit(done.stdout + done.stderr)
    print(f"rounds {rounds}, medians (least-most)")
    for line in figures:
        print(line.removeprefix("# "))


if __name__ == "__main__":
    main()
