"""The trainer where only the backend is installed: help works, a step says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import runpy, sys
for name in ("tqdm", "torch", "transformers", "peft", "gguf", "tokenizers", "sacrebleu"):
    sys.modules[name] = None  # what Python takes for "not installed"
sys.argv = ["trainer", *sys.argv[1:]]
runpy.run_module("trainer", run_name="__main__")
"""


def _ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def test_help_needs_nothing() -> None:
    for step in ((), ("prepare",), ("train",), ("evaluate",)):
        done = _ran(*step, "--help")

        assert done.returncode == 0, done.stderr
        assert "usage: python -m trainer" in done.stdout


def test_a_step_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "examples.jsonl").write_text("")
    done = _ran(
        "train", "--base", str(tmp_path), "--examples", str(tmp_path / "examples.jsonl"),
        "--out", str(tmp_path / "out"),
    )  # fmt: skip

    assert done.returncode == 2
    assert "pip install -r trainer/requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr
