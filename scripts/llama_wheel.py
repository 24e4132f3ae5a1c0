"""The wheel of llama-cpp-python: compiled once for this processor, kept for the next time.

There is no ready-made one, and ours uses all that the processor can do, so it is kept under a key
made of the version, the build options and the processor. An interrupted build goes on where it was:
sources and objects stay in the cache until the wheel is there.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from scripts import progress

NAME = "llama-cpp-python"
OPTIONS = "-DLLAVA_BUILD=OFF"
TOOLS = ("scikit-build-core==1.1.2", "cmake==4.4.4", "ninja==1.13.2")
PIP = ("-m", "pip", "--no-input", "--disable-pip-version-check")


def processor() -> str:
    """What this processor can do, as Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    features = (line for line in lines if line.startswith(("flags", "Features")))
    return next(features, platform.processor())


def folder_with_wheel(version: str, *, python: Path, log: Path) -> Path:
    """The folder with the wheel of this version for this processor; compiles it if need be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "suggest-answer"
    key = _key(version)
    folder = cache / "wheels" / key
    with locked(cache / f"{key}.lock"):
        if not list(folder.glob("*.whl")):
            _build(version, work=cache / "build" / key, folder=folder, python=python, log=log)
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file; say so if another process has it and we must wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write("  Another set-up is under way; waiting for it to end.\n")
            sys.stdout.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(version: str) -> str:
    parts = (version, OPTIONS, processor(), platform.machine(), *platform.libc_ver())
    return f"{version}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


def _build(version: str, *, work: Path, folder: Path, python: Path, log: Path) -> None:
    tools, source = work / "tools", work / "source"
    environment = {"CMAKE_ARGS": OPTIONS, "PYTHONPATH": str(tools), "PYTHONUNBUFFERED": "1"}
    progress.run(
        "Fetching the build tools",
        [str(python), *PIP, "install", "--upgrade", "--target", str(tools), *TOOLS],
        log=log,
    )
    if not source.exists():
        fetch = ["download", "--no-deps", "--no-build-isolation", "--no-binary", NAME]
        progress.run(
            f"Fetching the sources of {NAME} {version} (77 MB)",
            [str(python), *PIP, *fetch, "--dest", str(work), f"{NAME}=={version}"],
            log=log,
            environment=environment,
        )
        _unpack(next(work.glob("*.tar.gz")), source)
    build = ["wheel", "--verbose", "--no-deps", "--no-build-isolation", str(source)]
    places = ["--wheel-dir", str(work / "wheel"), "-C", f"build-dir={work / 'objects'}"]
    progress.run(
        "Compiling llama.cpp for this processor (only once; about 2 minutes on 2 cores)",
        [str(python), *PIP, *build, *places],
        log=log,
        environment=environment,
        watch=ninja_step,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    (work / "wheel").replace(folder)
    shutil.rmtree(work)


def _unpack(archive: Path, source: Path) -> None:
    """Unpack the sources and leave out llama.cpp's `common`, which takes half of the compiling.

    Only llama.cpp's own programs use it; no option turns it off, because the line below is forced.
    """
    part = source.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(part, filter="data")
    (unpacked,) = part.iterdir()
    recipe = unpacked / "CMakeLists.txt"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("set(LLAMA_BUILD_COMMON ON ", "set(LLAMA_BUILD_COMMON OFF "))
    unpacked.replace(source)
    shutil.rmtree(part)


def ninja_step(line: str) -> str:
    """A bar for ninja's `[35/83] ...`; nothing for any other line."""
    step = re.match(r"\s*\[(\d+)/(\d+)\]", line)
    if step is None:
        return ""
    done, total = int(step[1]), int(step[2])
    return f"[{'#' * (20 * done // total):20}] step {done} of {total}"
