"""Plant faults in backend's domain, store and services with mutmut, and say how many were noticed.

    python -m scripts.mutants                      all of them: about an hour on two cores
    python -m scripts.mutants "backend.store.*"    those with such a name; their tests only are run

What a fault's name stands for is shown by `.venv/bin/mutmut show NAME`. Verdicts are kept in
`mutants/` until the function or its tests change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
MUTANTS = CHECKOUT / "mutants"
LOG = CHECKOUT / "var" / "log" / "mutants.log"
SURVIVED, NOT_TESTED = 0, 33
"""The exit codes that mutmut keeps for faults that no test noticed, or that none came near."""


def main() -> None:
    """Run mutmut on the named mutants; list those that lived, then the score of each package."""
    patterns = sys.argv[1:]
    _run(patterns)
    verdicts = {
        name: code
        for name, code in _verdicts(MUTANTS).items()
        if code is not None and any(fnmatch(name, pattern) for pattern in patterns or ["*"])
    }
    for name in sorted(name for name, code in verdicts.items() if code == SURVIVED):
        sys.stdout.write(f"lived: {name}\n")
    sys.stdout.write(f"\n{table(verdicts)}\n")


def table(verdicts: dict[str, int]) -> str:
    """A line a package: how many mutants there were, and what share of them the tests noticed."""
    packages = {name: name.split(".")[1] for name in verdicts}
    total = Counter(packages.values())
    of_code = Counter((packages[name], code) for name, code in verdicts.items())
    lines = ["package     mutants   lived   not tested   score"]
    for package in [*sorted(total), "all"]:
        rows = sorted(total) if package == "all" else [package]
        number = sum(total[row] for row in rows)
        lived, untested = (
            sum(of_code[row, code] for row in rows) for code in (SURVIVED, NOT_TESTED)
        )
        share = (number - lived - untested) / max(number, 1)
        lines.append(f"{package:<11} {number:7} {lived:7} {untested:12} {share:7.1%}")
    return "\n".join(lines)


def _run(patterns: list[str]) -> None:
    command = [str(CHECKOUT / ".venv" / "bin" / "mutmut"), "run", *patterns]
    if sys.stdout.isatty():
        ended = subprocess.run(command, cwd=CHECKOUT)
    else:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open("wb") as log:
            ended = subprocess.run(command, cwd=CHECKOUT, stdout=log, stderr=subprocess.STDOUT)
    if ended.returncode:
        sys.exit(f"mutmut ended with status {ended.returncode}; its output is in {LOG}.")


def _verdicts(folder: Path) -> dict[str, int | None]:
    """The exit code of the tests by the mutant's name; None for one that was not run."""
    found: dict[str, int | None] = {}
    for file in sorted(folder.rglob("*.py.meta")):
        found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


if __name__ == "__main__":
    main()
