"""Make this checkout ready for a part of the work, then become the command that was asked for.

    python -m scripts.environment run .venv/bin/suggest-answer serve

A stamp in `.venv` tells that nothing changed since the last time, so a second start costs only
a look at it. Needs nothing but Python's standard library.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from scripts import llama_wheel, progress, system_packages

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
BASE_PYTHON = Path(sys.executable).resolve()
UNFINISHED = VENV / "set_up.unfinished"
PLACE = VENV / "set_up.place"
LOG = CHECKOUT / "var" / "log" / "set_up.log"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CPU_TORCH = "https://download.pytorch.org/whl/cpu/"


@dataclass(frozen=True)
class Part:
    """What one part of the work needs."""

    programs: tuple[system_packages.Program, ...]
    requirements: tuple[str, ...]
    packages_of_node: str | None = None

    def covers(self, other: "Part") -> bool:
        """Whether nothing is missing for the other once this is there."""
        return (
            set(other.programs) <= set(self.programs)
            and set(other.requirements) <= set(self.requirements)
            and other.packages_of_node in (None, self.packages_of_node)
        )


TEST = Part(
    (
        system_packages.COMPILER,
        system_packages.NODE,
        system_packages.NPM,
        system_packages.BROWSER,
    ),
    ("requirements.txt", "requirements-dev.txt", "trainer/requirements.txt"),
    packages_of_node="extension",
)
PARTS = {
    "run": Part((system_packages.COMPILER,), ("requirements.txt",)),
    "test": TEST,
    "mutants": replace(TEST, requirements=(*TEST.requirements, "requirements-mutants.txt")),
}


def main() -> None:
    """Set up if anything changed, then replace this process by the command."""
    name, *command = sys.argv[1:]
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        if not _current(name):
            LOG.parent.mkdir(parents=True, exist_ok=True)
            with llama_wheel.locked(LOG.with_suffix(".lock")):
                if not _current(name):
                    _set_up(name)
    except progress.SetUpFailedError as failure:
        sys.exit(f"\n{failure}")
    except OSError as failure:
        sys.exit(f"\nSetting up stopped: {failure}. Put that right, then start again.")
    os.execvp(command[0], command)  # noqa: S606


def _stop(number: int, _frame: FrameType | None) -> None:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    sys.stdout.write("\nStopped. Start again, and it goes on from here.\n")
    sys.exit(128 + number)


def _set_up(name: str) -> None:
    part = PARTS[name]
    sys.stdout.write("Setting up this checkout; the next start takes seconds.\n")
    LOG.write_text("", encoding="utf-8")
    system_packages.install_missing(part.programs, log=LOG)
    _make_venv()
    _install(part, _wheels())
    if part.packages_of_node is not None:
        progress.run(
            "Installing Node's packages",
            ["npm", "ci", "--no-audit", "--no-fund", "--prefix", part.packages_of_node],
            log=LOG,
        )
    for ready, other in PARTS.items():
        if part.covers(other):
            _stamp(ready).write_text(_fingerprint(ready), encoding="utf-8")


def _current(name: str) -> bool:
    stamp = _stamp(name)
    if UNFINISHED.exists():
        return False
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _fingerprint(name)


def _stamp(name: str) -> Path:
    return VENV / f"set_up.{name}"


def _fingerprint(name: str) -> str:
    """A hash of all that set-up depends on."""
    part = PARTS[name]
    files = ["pyproject.toml", "constraints.txt", *part.requirements]
    files += [f"scripts/{path.name}" for path in (Path(__file__), Path(llama_wheel.__file__))]
    if part.packages_of_node is not None:
        files.append(f"{part.packages_of_node}/package-lock.json")
        files.append(f"{part.packages_of_node}/node_modules/.package-lock.json")
    digest = hashlib.sha256(_place().encode())
    for file in files:
        path = CHECKOUT / file
        digest.update(path.read_bytes() if path.is_file() else b"missing")
    return digest.hexdigest()


def _place() -> str:
    """Where `.venv` works: this folder, this Python and this processor, and nowhere else."""
    python = PYTHON if PYTHON.exists() else BASE_PYTHON
    return f"{CHECKOUT}\n{python.resolve()}\n{llama_wheel.processor()}\n"


def _make_venv() -> None:
    """A working virtual environment; one that was left unfinished is made anew."""
    moved = PLACE.is_file() and PLACE.read_text(encoding="utf-8") != _place()
    if UNFINISHED.exists() or moved:
        sys.stdout.write("  .venv is unfinished, or from another place: making it anew.\n")
        shutil.rmtree(VENV)
    if not PYTHON.exists():
        VENV.mkdir(exist_ok=True)
        UNFINISHED.touch()
        progress.run("Making .venv", [str(BASE_PYTHON), "-m", "venv", str(VENV)], log=LOG)
        UNFINISHED.unlink()
    PLACE.write_text(_place(), encoding="utf-8")


def _wheels() -> list[str]:
    """Folders where pip finds a compiled llama.cpp; none if that is installed already."""
    version = _pinned_llama()
    if any(VENV.glob(f"lib/python*/site-packages/llama_cpp_python-{version}.dist-info/RECORD")):
        return []
    return [str(llama_wheel.folder_with_wheel(version, python=PYTHON, log=LOG))]


def _pinned_llama() -> str:
    lines = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    start = f"{llama_wheel.NAME}=="
    return next(line.removeprefix(start) for line in lines if line.startswith(start))


def _install(part: Part, wheels: list[str]) -> None:
    command = [str(PYTHON), *llama_wheel.PIP, "install", "--progress-bar", "off"]
    command += ["--only-binary", llama_wheel.NAME]
    for folder in wheels:
        command += ["--find-links", folder]
    command += ["--constraint", "constraints.txt", "--editable", "."]
    for file in part.requirements:
        command += ["--requirement", file]
    if "trainer/requirements.txt" in part.requirements and _answers(CPU_TORCH):
        command += ["--extra-index-url", CPU_TORCH]
    unbuffered = {"PYTHONUNBUFFERED": "1"}
    title = "Installing Python packages"
    progress.run(title, command, log=LOG, environment=unbuffered, watch=_watch_pip)
    for other in PARTS:
        _stamp(other).unlink(missing_ok=True)
    UNFINISHED.unlink(missing_ok=True)


def _watch_pip(line: str) -> str:
    """From the moment pip changes `.venv` until it is through, `.venv` counts as unfinished."""
    if line.startswith("Installing collected packages"):
        UNFINISHED.touch()
        return "unpacking"
    words = line.split()[:2]
    return " ".join(words) if words and words[0] in ("Collecting", "Downloading") else ""


def _answers(address: str) -> bool:
    """Whether a server answers within five seconds, name look-up included."""
    ask = f"import urllib.request; urllib.request.urlopen({address!r})"
    try:
        asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


if __name__ == "__main__":
    main()
