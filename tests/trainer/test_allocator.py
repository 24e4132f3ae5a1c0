"""Memory of large tensors is asked of the system once, and few kernels are kept."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from trainer.tuning.loop import KERNELS

PROGRAM = """
import resource, sys
import torch
from trainer.tuning.loop import keep_freed_memory

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


PRODUCTS = """
import torch
from trainer.tuning.loop import keep_few_kernels

keep_few_kernels()
weights = torch.ones(64, 64, dtype=torch.bfloat16)
for rows in range(16, 1600, 16):
    torch.ones(rows, 64, dtype=torch.bfloat16) @ weights
print("again", flush=True)
torch.ones(16, 64, dtype=torch.bfloat16) @ weights
"""


@pytest.mark.parametrize(("users", "told"), [({}, "cache_miss"), ({KERNELS: "1024"}, "cache_hit")])
def test_a_kernel_is_given_up_after_some_others(users: dict[str, str], told: str) -> None:
    others = {name: value for name, value in os.environ.items() if name != KERNELS}

    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS],
        env={**others, "ONEDNN_VERBOSE": "2", **users},
        capture_output=True,
        text=True,
        check=True,
    )

    if "create:" not in done.stdout:
        pytest.skip("PyTorch does not ask oneDNN for bfloat16 on this processor")
    assert f"create:{told}" in done.stdout.partition("again")[2]
