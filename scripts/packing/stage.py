"""What goes into each zip: the shared panel, one adapter, settings and a manifest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent.parent
MANIFEST = CHECKOUT / "plugin-manifest.json"
EXTENSION = CHECKOUT / "extension"
TSC = EXTENSION / "node_modules" / ".bin" / "tsc"
SERVICES = ("crm", "desk")
LOOPBACK = ("127.0.0.1", "localhost")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?")


@dataclass(frozen=True)
class Wishes:
    """What an organisation packs into its own widget."""

    backend: str
    calls: str = "proxy"
    connection: str = ""
    reading: str = ""
    auto_start: bool = False
    link_hosts: tuple[str, ...] = ()
    language: str = ""


def checked(wishes: Wishes) -> Wishes:
    """The wishes with a tidy backend address. Raises ValueError with what is wrong."""
    parts = urlsplit(wishes.backend.rstrip("/"))
    extra = parts.path or parts.query or parts.fragment or parts.username
    if parts.scheme != "https" or not parts.hostname or extra:
        raise ValueError(
            f"--backend is {wishes.backend!r}. Zoho takes an https address without a path, "
            "such as https://suggest.example.org."
        )
    if parts.hostname in LOOPBACK and wishes.calls == "proxy":
        raise ValueError("Zoho's servers cannot reach this machine's own address: --calls direct.")
    for host in wishes.link_hosts:
        if not _HOST.fullmatch(host.lower()):
            raise ValueError(f"--link-host is {host!r}; give a host, such as help.example.org.")
    hosts = tuple(host.lower() for host in wishes.link_hosts)
    return replace(wishes, backend=f"https://{parts.netloc}".lower(), link_hosts=hosts)


def stage(service: str, wishes: Wishes, *, folder: Path) -> dict[str, bytes]:
    """Fills a folder, emptied first, for zet; returns what `app/` holds, by name in the zip."""
    if folder.exists():
        shutil.rmtree(folder)
    app = folder / "app"
    shutil.copytree(EXTENSION / "shared", app / "shared", ignore=shutil.ignore_patterns("strings"))
    shutil.copytree(EXTENSION / service, app / service)
    shutil.copyfile(CHECKOUT / "LICENSE", app / "LICENSE.txt")
    _without_comments(app)
    if (app / service / "translations").is_dir():
        (app / service / "translations").rename(app / "translations")
    (app / "packed.js").write_text(packed(wishes), encoding="utf-8")
    _write(folder / "plugin-manifest.json", manifest(service, wishes.backend))
    _write(folder / "resources.json", {})
    _write(folder / "package.json", {"name": f"suggest-answer-{service}", "version": version()})
    files = sorted(path for path in app.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def version() -> str:
    """The version of the product."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def _without_comments(app: Path) -> None:
    """A third of the sources is types and reasons, in comments: browsers need not load them.

    What is packed stays as readable as it was; the sources are where the licence says.
    """
    project = EXTENSION / "tsconfig.pack.json"
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([str(TSC), "-p", str(project), "--outDir", made], check=True, timeout=120)
        for path in Path(made).rglob("*.js"):
            place = app / path.relative_to(made)
            if place.is_file():
                shutil.copyfile(path, place)


def packed(wishes: Wishes) -> str:
    """`packed.js`: settings and words as code (extension/packed.js tells why)."""
    strings = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((EXTENSION / "shared" / "strings").glob("*.json"))
        if not wishes.language or path.stem in ("en", wishes.language)
    }
    lines = ["/** Written by scripts/pack_extension. */"]
    for name, value in (("settings", settings(wishes)), ("strings", strings)):
        lines.append(f"export const {name} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def settings(wishes: Wishes) -> dict[str, Any]:
    """The settings as the widget reads them (extension/shared/settings.js)."""
    return {
        "backend": wishes.backend,
        "calls": wishes.calls,
        "connection": wishes.connection,
        "reading": wishes.reading,
        "autostart": wishes.auto_start,
        "linkhosts": list(wishes.link_hosts),
        "language": wishes.language,
    }


def manifest(service: str, backend: str) -> dict[str, Any]:
    """One product's manifest from `plugin-manifest.json`, with the backend filled in."""
    whole = json.loads(MANIFEST.read_text(encoding="utf-8"))[service]
    filled: dict[str, Any] = json.loads(json.dumps(whole).replace("${backend}", backend))
    return filled


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
