"""What a step says about itself, kept as `training.json` beside its weights.

Merge and export read it: so the card of a GGUF can tell how, from what and on what the model was
trained, without anyone typing it in again.

A row of steps, each writing one file, that goes on where it was broken off.

What a step made is noted with the hash of the file and a mark of what it was made from. A step
whose file still has this hash, made from the same, is not done again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.system.files import sha256_of, whole_file, write_whole

RECORD = "training.json"
DEFAULT_PROMPT_TOKENS = 700
"""The budget of prompts where no record or card tells one."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class Record:
    """How weights were made. `prompt_format` is empty where no prompts of ours were trained."""

    step: str
    base: str = ""
    method: str = ""
    dataset_sha256: str = ""
    prompt_format: str = ""
    prompt_tokens: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


def prompt_budget(record: Record | None) -> int:
    """The budget of the prompts that weights with this record are asked with."""
    return (record.prompt_tokens if record else 0) or DEFAULT_PROMPT_TOKENS


def write_record(record: Record, folder: Path) -> None:
    """Writes the record into the folder of the weights."""
    text = json.dumps(asdict(record), ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / RECORD, text)


def read_record(folder: Path) -> Record | None:
    """The record of a folder, or None where weights came from elsewhere."""
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error}. Run the step again.") from error


def name_of_base(folder: Path) -> str:
    """What a base is called: as its config says (`meta-llama/Llama-2-7b-hf`), else as its folder.

    A path on the machine where the config was written is no name.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    told = str(config.get("_name_or_path"))
    return told if _HUB_NAME.fullmatch(told) else folder.resolve().name


def fingerprint(*parts: object) -> str:
    """One hash of settings and texts: equal only if all of them are."""
    whole = hashlib.sha256()
    for part in parts:
        text = part if isinstance(part, str) else json.dumps(part, sort_keys=True)
        whole.update(hashlib.sha256(text.encode()).digest())
    return whole.hexdigest()


_NOTES = "steps.json"


@dataclass(frozen=True)
class Steps:
    """The folder in which the files of the steps lie."""

    folder: Path

    def file(self, name: str, made_from: str, make: Callable[[Path], None]) -> Path:
        """The file of a step, made now unless it was finished before."""
        path, notes = self.folder / name, self._notes()
        if self.has(name, made_from) and sha256_of(path) == notes[name]["sha256"]:
            return path
        with whole_file(path) as unfinished:
            make(unfinished)
        notes[name] = {"from": made_from, "sha256": sha256_of(path)}
        write_whole(self.folder / _NOTES, json.dumps(notes, indent=1) + "\n")
        return path

    def has(self, name: str, made_from: str) -> bool:
        """Whether a step's file was finished and made from this, without reading it whole."""
        same = self._notes().get(name, {}).get("from") == made_from
        return same and (self.folder / name).is_file()

    def made(self, name: str) -> str:
        """The hash of a finished step's file; the next step is made from it."""
        return self._notes()[name]["sha256"]

    def _notes(self) -> dict[str, dict[str, str]]:
        try:
            notes: dict[str, dict[str, str]] = json.loads((self.folder / _NOTES).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return notes


def mark_of_folder(folder: Path) -> str:
    """Changes when a file of the folder changes: by size and time, small ones by content too."""
    parts: list[object] = []
    for path in sorted(one for one in folder.iterdir() if one.is_file()):
        state = path.stat()
        small = state.st_size < 1_000_000
        parts += [path.name, state.st_size, sha256_of(path) if small else state.st_mtime_ns]
    return fingerprint(*parts)
