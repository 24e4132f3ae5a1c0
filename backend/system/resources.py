"""What this machine has for a process: processors, memory and disk.

Everything is read below `root`, which is another folder only in tests.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from backend.domain.errors import DiskFull, Unavailable

_ROOT = Path("/")
_SPARE_BYTES = 256 * 1024 * 1024


def cores(*, allowed: Collection[int] | None = None, root: Path = _ROOT) -> int:
    """Physical cores that this process may use: threads that compute without a pause.

    Two of them on one core's hyper-threads only get in each other's way.
    """
    siblings = {_siblings(cpu, root) for cpu in _allowed(allowed)}
    return _within_quota(len(siblings), root)


def processors(*, allowed: Collection[int] | None = None, root: Path = _ROOT) -> int:
    """Logical processors that this process may use: processes that run plain Python."""
    return _within_quota(len(_allowed(allowed)), root)


def free_memory(*, root: Path = _ROOT) -> int:
    """Bytes of memory that can be had without swapping; where nobody says, all there are."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def own_memory(*, root: Path = _ROOT) -> int:
    """Bytes of memory that this process holds, pages of mapped files among them; 0 if not told."""
    try:
        pages = (root / "proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def check_memory(needed: int, *, step: str) -> None:
    """Raises Unavailable if `needed` bytes of memory are not free."""
    free = free_memory()
    if free < needed:
        raise Unavailable(
            f"The step {step!r} needs {gigabytes(needed)} of memory and {gigabytes(free)} are "
            "free. Close other programs, or take a machine with more."
        )


def check_disk(folder: Path, needed: int, *, step: str) -> None:
    """Raises DiskFull if `needed` bytes and some spare do not fit beside `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise DiskFull(
            f"The step {step!r} writes {gigabytes(needed)} to {folder}, where "
            f"{gigabytes(free)} are free. Free some room, or write to another disk."
        )


def gigabytes(count: float, *, digits: int = 2) -> str:
    """A number of bytes, written out."""
    return f"{count / 1e9:.{digits}f} GB"


def _allowed(allowed: Collection[int] | None) -> Collection[int]:
    if allowed is not None:
        return allowed
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _siblings(cpu: int, root: Path) -> str:
    """The processors of the same core, as the kernel lists them."""
    topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    try:
        return (topology / "thread_siblings_list").read_text(encoding="ascii").strip()
    except OSError:
        return str(cpu)


def _within_quota(count: int, root: Path) -> int:
    quotas = [quota for folder in _cpu_groups(root) for quota in _quotas(folder)]
    return max(1, min([count, *(round(quota) for quota in quotas)]))


def _cpu_groups(root: Path) -> Iterator[Path]:
    """The control groups that this process is in, and those around them.

    A container sees its own group at the top, but may be told the path that the host knows: what
    is not there is passed over.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = Path(path.lstrip("/"))
        for mount in _mounts(controllers):
            yield from (root / "sys/fs/cgroup" / mount / part for part in (group, *group.parents))


def _mounts(controllers: str) -> tuple[str, ...]:
    """Where the hierarchy of a line of /proc/self/cgroup lies: version 2 names no controllers."""
    return (controllers, "cpu") if controllers else ("", "unified")


def _quotas(group: Path) -> Iterator[float]:
    """CPUs that a group may use, if it is limited: as version 2 says it, or as version 1 does."""
    try:
        if (limit := group / "cpu.max").exists():
            quota, period = limit.read_text(encoding="ascii").split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (group / "cpu.cfs_period_us").read_text(encoding="ascii")
    except (OSError, ValueError):
        return
    if quota not in ("max", "-1"):
        yield int(quota) / int(period)
