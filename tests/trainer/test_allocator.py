"""Memory of large tensors is asked of the system once, not for each tensor anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from trainer.allocator import keep_freed_memory

print(keep_freed_memory() if sys.argv[1] == "keep" else False)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(16_000_000)
before = faults()
for _ in range(50):
    torch.ones(16_000_000)
print(faults() - before)
"""


def _told(choice: str) -> tuple[bool, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, choice], capture_output=True, text=True, check=True
    )
    listens, faults = done.stdout.split()
    return listens == "True", int(faults)


def test_freed_memory_is_used_again() -> None:
    if platform.libc_ver()[0] != "glibc":
        assert not _told("keep")[0]
        pytest.skip("no glibc here: nothing to keep")

    listens, kept = _told("keep")
    _, returned = _told("return")

    assert listens
    assert 4 * kept < returned
