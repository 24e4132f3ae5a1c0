"""Programs that pip cannot bring: which are missing, and how Debian and Ubuntu install them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import progress

OLDEST_NODE = 18


@dataclass(frozen=True)
class Program:
    """A Debian package and the commands, any of which shows that it need not be installed."""

    package: str
    commands: tuple[str, ...]


COMPILER = Program("g++", ("c++", "g++"))
NODE = Program("nodejs", ("node",))
NPM = Program("npm", ("npm",))
BROWSER = Program("chromium", ("chromium", "chromium-browser", "google-chrome"))


def install_missing(programs: Sequence[Program], *, log: Path) -> None:
    """Install what is not there, through apt-get where we may; else say what to type."""
    packages = [program.package for program in programs if not found(program)]
    if packages:
        _install(packages, log=log)
    if NODE in programs:
        _check_node()


def found(program: Program) -> str | None:
    """The path of the first of its commands that is there."""
    return next(filter(None, map(shutil.which, program.commands)), None)


def _install(packages: Sequence[str], *, log: Path) -> None:
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise progress.SetUpFailedError(
            f"Missing on this machine: {names} (Debian's names). Install them with your system's "
            "package manager, then start again."
        )
    if os.geteuid() != 0:
        raise progress.SetUpFailedError(
            f"Missing on this machine: {names}. As root, type\n\n"
            f"    apt-get update && apt-get install -y {names}\n\nthen start again."
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    for title, command in (
        ("Finishing earlier installations", ["dpkg", "--configure", "-a"]),
        ("Reading Debian's package lists", [*apt, "update"]),
        (f"Installing {names}", [*apt, "install", "-y", "--no-install-recommends", *packages]),
    ):
        progress.run(title, command, log=log, environment=quiet)


def _check_node() -> None:
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise progress.SetUpFailedError(
            f"Node.js {OLDEST_NODE} or newer is needed; this machine has {version.stdout.strip()}. "
            "Install a newer one (https://nodejs.org), then start again."
        )
