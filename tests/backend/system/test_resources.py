"""Cores and memory by what a machine, a container or a service is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.system.resources import cores, free_memory, processors


def machine(root: Path, files: dict[str, str], *, cpus: int = 4, threads_of_core: int = 1) -> Path:
    """A tree as Linux shows it under /proc and /sys."""
    for cpu in range(cpus):
        first = cpu - cpu % threads_of_core
        siblings = f"{first}-{first + threads_of_core - 1}\n" if threads_of_core > 1 else f"{cpu}\n"
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        files = files | {topology: siblings}
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_threads_of_one_core_count_once_for_computing_and_each_for_processes(
    tmp_path: Path,
) -> None:
    root = machine(tmp_path, {}, cpus=8, threads_of_core=2)

    assert cores(allowed=range(8), root=root) == 4
    assert processors(allowed=range(8), root=root) == 8


def test_only_processors_that_the_process_may_use_count(tmp_path: Path) -> None:
    root = machine(tmp_path, {}, cpus=8, threads_of_core=2)

    assert cores(allowed={0, 1, 6}, root=root) == 2
    assert cores(root=tmp_path / "nothing") == processors(root=tmp_path / "nothing")
    assert processors(root=tmp_path / "nothing") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 4),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        (
            {
                "proc/self/cgroup": "0::/system.slice/suggest.service\n",
                "sys/fs/cgroup/system.slice/suggest.service/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/system.slice/cpu.max": "200000 100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/f00\n1:name=systemd:/docker/f00\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        ({"proc/self/cgroup": "2:cpuset:/\n", "sys/fs/cgroup/cpuset/cpu.max": "1 1\n"}, 4),
    ],
    ids=[
        "container with 1 CPU",
        "container without a limit",
        "part of a CPU",
        "two and a half",
        "service in a slice with less",
        "version 1, path of the host",
        "version 1 without a limit",
        "controller of something else",
    ],
)
def test_no_more_threads_than_the_control_group_has_cpus(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    root = machine(tmp_path, files)

    assert cores(allowed=range(4), root=root) == expected
    assert processors(allowed=range(4), root=root) == expected


def test_free_memory_is_what_can_be_had_without_swapping(tmp_path: Path) -> None:
    said = "MemTotal: 4000 kB\nMemFree: 10 kB\nMemAvailable:    2048 kB\n"

    assert free_memory(root=machine(tmp_path, {"proc/meminfo": said})) == 2048 * 1024
    assert free_memory(root=tmp_path / "nothing") > free_memory() > 0
