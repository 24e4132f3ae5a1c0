"""Runs llama.cpp's own converter, for architectures that ours does not know.

It is not packaged: it comes with llama.cpp's sources and needs its own requirements.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from backend.domain.errors import BadInput, UnusableModel

_LAST = 2000


def convert_with(converter: Path, model: Path, out: Path) -> None:
    """Writes the model as float16 GGUF with the script `convert_hf_to_gguf.py` at `converter`.

    Raises UnusableModel with the end of what the script said if it fails.
    """
    if not converter.is_file():
        raise BadInput(
            f"{converter} is no file. Give the path of llama.cpp's convert_hf_to_gguf.py."
        )
    command = [
        sys.executable,
        str(converter),
        str(model),
        "--outfile",
        str(out),
        "--outtype",
        "f16",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0 or not out.is_file():
        raise UnusableModel(
            f"{converter.name} ended with {done.returncode} and wrote no GGUF. Its last words:\n"
            f"{(done.stderr or done.stdout).strip()[-_LAST:]}"
        )
