"""`python -m scripts.bench NAME`: run one benchmark; each says how it measured."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

NAMES = (
    "runner",
    "overhead",
    "memory",
    "widget",
    "search",
    "export",
    "prepare",
    "privacy",
    "train",
    "resume",
    "tuning",
    "export_model",
    "conversions",
)


def main() -> None:
    """Runs the named benchmark with the remaining arguments."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in NAMES:
        sys.exit(f"usage: python -m scripts.bench {{{','.join(NAMES)}}} [--help]")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    del sys.argv[1]
    runpy.run_module(f"scripts.bench.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
