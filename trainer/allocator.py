"""Memory that PyTorch frees on the CPU stays with the process, for the next tensor of its size.

The C library gives blocks of 32 MB and more back to the system at once and asks for new ones a
moment later, and the system fills each with zeros, page by page. Attention matrices, which are
large and do not live long, cost a training much of its time that way: see
`scripts.bench train --against returning`.
"""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h, see mallopt(3)."""
_ALL = -1
"""Read as the largest number there is: free memory at the heap's end is never given back."""


def keep_freed_memory() -> bool:
    """Tells the C library; True if it listens. Only glibc does: elsewhere nothing changes."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_TRIM_THRESHOLD, _ALL)) and bool(mallopt(_MMAP_MAX, 0))
