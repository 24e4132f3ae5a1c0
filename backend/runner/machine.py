"""What the machine offers, and the sizes that follow from it."""

from __future__ import annotations

import os
from pathlib import Path

from backend.runner.gguf_header import Header

CPU_TOPOLOGY = Path("/sys/devices/system/cpu")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MEMORY = Path("/proc/meminfo")
DEFAULT_CONTEXT = 2048
DEFAULT_SLOTS = 4
SHARE_FOR_CACHE = 0.25  # of the memory that is free: several runners share a machine
CACHE_BYTES_PER_NUMBER = 2  # f16


def cores() -> int:
    """Physical cores this process may use: affinity, hyper-threads and container quota counted."""
    allowed = os.sched_getaffinity(0)
    siblings = {_siblings(cpu) for cpu in allowed}
    return max(1, min(len(siblings), _quota() or len(siblings)))


def cache_bytes_per_token(header: Header) -> int:
    """What the KV cache needs for one token of a model; 0 if the header does not say."""
    heads = header.number("attention.head_count")
    if not heads:
        return 0
    width = header.number("embedding_length") // heads
    keys = header.number("attention.key_length") or width
    values = header.number("attention.value_length") or width
    shared = header.number("attention.head_count_kv") or heads
    return header.number("block_count") * shared * (keys + values) * CACHE_BYTES_PER_NUMBER


def fitting_slots(*, context: int, token_bytes: int, free_bytes: int) -> int:
    """The default number of slots, fewer where their cache would take too much memory."""
    slots = DEFAULT_SLOTS
    while slots > 1 and slots * context * token_bytes > free_bytes * SHARE_FOR_CACHE:
        slots //= 2
    return slots


def free_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    for line in MEMORY.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _siblings(cpu: int) -> str:
    try:
        return (CPU_TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _quota() -> int:
    """Whole CPUs a container may use; 0 if there is no limit."""
    try:
        quota, period = CPU_QUOTA.read_text().split()
    except (OSError, ValueError):
        return 0
    return 0 if quota == "max" else max(1, round(int(quota) / int(period)))
