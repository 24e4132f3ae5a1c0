"""Pack the widget for CRM and for Desk: stage, let zet validate and pack, read both zips back.

    python -m scripts.packing.main --backend https://suggest.example.org

Run through `scripts/pack_extension`, which sees to Node's packages. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.packing.stage import CHECKOUT, SERVICES, Wishes, checked, stage
from scripts.packing.zips import WrongZip, contents, problems

ZET = CHECKOUT / "extension" / "node_modules" / ".bin" / "zet"


class PackingFailed(Exception):
    """The widget was not packed; the message says why and what to do."""


def main(arguments: list[str] | None = None) -> None:
    """Packs both zips and prints what they hold, or ends with a sentence."""
    options = _options(arguments)
    wishes = Wishes(
        backend=options.backend,
        calls=options.calls,
        connection=options.connection,
        reading=options.reading,
        auto_start=options.auto_start,
        link_hosts=tuple(options.link_host),
        language=options.language,
    )
    try:
        wishes = checked(wishes)
        for service in SERVICES:
            pack(service, wishes, out=options.out)
    except (PackingFailed, WrongZip, ValueError) as failure:
        sys.exit(f"Not packed: {failure}")


def pack(service: str, wishes: Wishes, *, out: Path) -> Path:
    """One zip, in `out`. Raises PackingFailed or WrongZip."""
    folder = (out / service).resolve()
    staged = stage(service, wishes, folder=folder)
    for command in ("validate", "pack"):
        _zet(command, folder=folder)
    made = folder / "dist" / f"{service}.zip"
    found = contents(made)
    wrong = problems(found, staged=staged, backend=wishes.backend, service=service)
    if wrong:
        raise WrongZip(f"{made} is wrong: {' '.join(wrong)}")
    zip_file = out / f"suggest-answer-{service}.zip"
    shutil.copyfile(made, zip_file)
    script = sum(len(body) for name, body in found.items() if name.endswith(".js"))
    print(
        f"{zip_file}: {zip_file.stat().st_size:,} bytes, {len(found)} files, JavaScript {script:,}"
    )
    return zip_file


def _zet(command: str, *, folder: Path) -> None:
    if not ZET.is_file():
        raise PackingFailed("zoho-extension-toolkit is missing. Run: npm ci --prefix extension")
    environment = {**os.environ, "npm_config_loglevel": "error", "NO_UPDATE_NOTIFIER": "1"}
    done = subprocess.run(
        [str(ZET), command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    print(f"-- {folder.name}: zet {command}\n{said}")
    if done.returncode != 0:
        raise PackingFailed(f"zet {command} failed for {folder.name}; it says why above.")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/pack_extension", description=__doc__)
    parser.add_argument("--backend", required=True, help="https address of your backend")
    parser.add_argument("--calls", default="proxy", choices=("proxy", "direct"))
    parser.add_argument("--connection", default="", help="the Zoho connection that adds the key")
    parser.add_argument("--reading", default="", help="the Desk connection that reads tickets")
    parser.add_argument("--auto-start", action="store_true", help="ask when a ticket is opened")
    parser.add_argument("--link-host", action="append", default=[], help="links may lead there")
    parser.add_argument("--language", default="", help="of the panel; default: the agent's")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
