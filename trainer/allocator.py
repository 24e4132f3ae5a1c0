"""The memory of a training on the CPU: what PyTorch frees is kept, what oneDNN keeps is less.

The C library gives blocks of 32 MB and more back to the system at once and asks for new ones a
moment later, and the system fills each with zeros, page by page. Attention matrices, which are
large and do not live long, cost a training much of its time that way: see
`scripts.bench train --against returning`.

oneDNN, which multiplies in bfloat16, keeps the kernels of the last 1,024 shapes that it met, with
their memory; each new length of rows brings dozens, and long ones come back late or never. With
few kept, GPT-J held 4.6 GB where it had held 6.3: see `trainer/LOG.md`.
"""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h, see mallopt(3)."""
KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
"""See https://uxlfoundation.github.io/oneDNN/dev_guide_primitive_cache.html."""
_FEW = "64"
_ALL = -1
"""Read as the largest number there is: free memory at the heap's end is never given back."""


def keep_freed_memory() -> bool:
    """Tells the C library; True if it listens. Only glibc does: elsewhere nothing changes."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_TRIM_THRESHOLD, _ALL)) and bool(mallopt(_MMAP_MAX, 0))


def keep_few_kernels() -> None:
    """Tells oneDNN, which asks once, before its first product. What a user has set stays."""
    os.environ.setdefault(KERNELS, _FEW)
