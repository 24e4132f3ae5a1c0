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
from collections.abc import Iterator, Sequence
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
    """Hold the lock file; say so if another process has it and we must wait.

    The commands we run hold it too, so even if we are killed nobody starts before they have ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stdout.write("  Another set-up is under way; waiting for it to end.\n")
            sys.stdout.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(version: str) -> str:
    parts = (version, OPTIONS, processor(), platform.machine(), os.confstr("CS_GNU_LIBC_VERSION"))
    return f"{version}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


def _build(version: str, *, work: Path, folder: Path, python: Path, log: Path) -> None:
    sys.stdout.write(
        "  llama.cpp must be compiled for this processor, once: 2 to 4 minutes on 2 cores.\n"
        f"  The result is kept in {folder}\n"
    )
    pip = (str(python), *PIP)
    environment = {
        "CMAKE_ARGS": OPTIONS,
        "PATH": f"{work / 'tools' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(work / "tools"),
        "PYTHONUNBUFFERED": "1",
    }
    if not (work / "tools").exists():
        _fetch_tools(pip, work=work, log=log)
    if not (work / "source").exists():
        fetch = ["download", "--no-deps", "--no-build-isolation", "--no-binary", NAME]
        progress.run(
            f"Fetching the sources of {NAME} {version} (77 MB)",
            [*pip, *fetch, "--dest", str(work), f"{NAME}=={version}"],
            log=log,
            environment=environment,
        )
        _unpack(next(work.glob("*.tar.gz")), work / "source", log=log)
    build = ["wheel", "--verbose", "--no-deps", "--no-build-isolation"]
    build += ["--config-settings", f"build-dir={work / 'objects'}"]
    build += ["--wheel-dir", str(work / "wheel"), str(work / "source")]
    progress.run("Compiling", [*pip, *build], log=log, environment=environment, watch=ninja_step)
    folder.parent.mkdir(parents=True, exist_ok=True)
    (work / "wheel").replace(folder)
    shutil.rmtree(work)


def _fetch_tools(pip: Sequence[str], *, work: Path, log: Path) -> None:
    part = work / "tools.part"
    shutil.rmtree(part, ignore_errors=True)
    command = [*pip, "install", "--target", str(part), *TOOLS]
    progress.run("Fetching the build tools", command, log=log)
    part.replace(work / "tools")


def _unpack(archive: Path, source: Path, *, log: Path) -> None:
    """Unpack the sources and leave out llama.cpp's `common`, which takes half of the compiling.

    Only llama.cpp's own programs use it; no option turns it off, because the line below is forced.
    """
    part = source.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    progress.run("Unpacking them", ["tar", "-xf", str(archive), "-C", str(part)], log=log)
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
