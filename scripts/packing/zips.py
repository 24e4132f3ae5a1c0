"""Reading a packed zip back.

zet can exit 0 with an empty zip, leaves out files whose ending it does not know, and checks neither
a widget's location nor a CRM package; so all of that is looked at here.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

LOCATIONS = frozenset(
    [f"desk.ticket.detail.{place}" for place in ("rightpanel", "subtab", "lefttab", "moreaction")]
    + ["desk.ticket.form.rightpanel", "desk.ticket.form.sidepanel", "desk.extension.preference"]
)
START_PAGE = "app/{service}/index.html"
MOST_FILES = 250
MOST_BYTES = 5_000_000


class WrongZip(Exception):
    """The zip is not what was meant to be packed."""


def contents(path: Path) -> dict[str, bytes]:
    """The files of a zip, each read and checked. Raises WrongZip."""
    if not path.is_file():
        raise WrongZip(f"zet made no {path}.")
    if path.stat().st_size == 0:
        raise WrongZip(
            f"zet left an empty {path} and called it done. npm wrote something while packing: "
            "look at `npm config list`, and keep npm_config_loglevel=error."
        )
    try:
        with zipfile.ZipFile(path) as zipped:
            files = [entry for entry in zipped.infolist() if not entry.is_dir()]
            return {entry.filename: zipped.read(entry) for entry in files}
    except zipfile.BadZipFile as error:
        raise WrongZip(f"{path} is no whole zip: {error}.") from error


def problems(
    found: Mapping[str, bytes], *, staged: Mapping[str, bytes], backend: str, service: str
) -> list[str]:
    """What is wrong with a zip, as sentences; none if it is as it was staged."""
    wrong = [_left_out(name) for name in staged if name not in found]
    wrong += [
        f"{name} changed while packing."
        for name in staged
        if found.get(name) not in (None, staged[name])
    ]
    around = {"plugin-manifest.json", "resources.json"} if service == "desk" else set()
    wrong += [f"{name} was not staged." for name in sorted(found.keys() - staged.keys() - around)]
    wrong += [
        f"{name} has {len(body):,} bytes; Zoho takes {MOST_BYTES:,}."
        for name, body in found.items()
        if len(body) > MOST_BYTES
    ]
    if len(found) > MOST_FILES:
        wrong.append(f"There are {len(found)} files; Zoho takes {MOST_FILES}.")
    if START_PAGE.format(service=service) not in found:
        wrong.append(f"The start page {START_PAGE.format(service=service)} is missing.")
    wrong += _settings_problems(found, backend)
    return wrong + (_manifest_problems(found, backend) if service == "desk" else [])


def _left_out(name: str) -> str:
    ending = PurePosixPath(name).suffix or "no ending"
    return f"{name} was left out: zet packs known endings only, and this one has {ending}."


def _settings_problems(found: Mapping[str, bytes], backend: str) -> list[str]:
    if f'"backend": "{backend}"'.encode() in found.get("app/packed.js", b""):
        return []
    return [f"app/packed.js does not name the backend {backend}."]


def _manifest_problems(found: Mapping[str, bytes], backend: str) -> list[str]:
    manifest = _json(found, "plugin-manifest.json")
    if not manifest:
        return ["plugin-manifest.json is missing."]
    wrong = []
    if backend not in manifest.get("whiteListedDomains", []):
        wrong.append(f"whiteListedDomains lacks {backend}, so Zoho would refuse its calls.")
    if backend not in manifest.get("cspDomains", {}).get("connect-src", []):
        wrong.append(f"cspDomains lacks {backend}, so the browser would refuse its calls.")
    if "${" in json.dumps(manifest):
        wrong.append("plugin-manifest.json has a place that was not filled in.")
    for locale in manifest.get("locale", []):
        if f"app/translations/{locale}.json" not in found:
            wrong.append(f"app/translations/{locale}.json is missing.")
    for widget in manifest.get("modules", {}).get("widgets", []):
        wrong += _widget_problems(widget, found)
    return wrong


def _widget_problems(widget: Mapping[str, Any], found: Mapping[str, bytes]) -> list[str]:
    wrong = []
    if widget.get("location") not in LOCATIONS:
        wrong.append(f"The location {widget.get('location')!r} is none that Desk has.")
    for key in ("url", "logo", "icon"):
        if str(widget.get(key, "")).removeprefix("/") not in found:
            wrong.append(f"The widget's {key} {widget.get(key)!r} is not in the zip.")
    return wrong


def _json(found: Mapping[str, bytes], name: str) -> dict[str, Any]:
    read = json.loads(found.get(name, b"{}"))
    return read if isinstance(read, dict) else {}
