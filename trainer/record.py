"""What a step leaves in its folder: the names of its files, and what `training.json` says of it.

Merge and export read it: so the card of a GGUF can tell how, from what and on what the model was
trained, without anyone typing it in again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.domain.errors import BadInput
from backend.system.files import sha256_of, write_whole

RECORD = "training.json"
CHECKPOINT = "checkpoint.pt"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
TEMPLATE = "chat_template.jinja"
"""The file of a chat template beside a model or adapter."""
DEFAULT_PROMPT_TOKENS = 700
"""The budget of prompts where no record or card tells one."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def card_path(gguf: Path) -> Path:
    """Where the card of a GGUF lies: beside it."""
    return gguf.with_name(f"{gguf.stem}.model_card.json")


@dataclass(frozen=True)
class Record:
    """How weights were made. `prompt_format` is empty where no prompts of ours were trained.

    `passages` is how many of them a prompt had at most; -1 if that is not known.
    """

    step: str
    base: str = ""
    method: str = ""
    dataset_sha256: str = ""
    prompt_format: str = ""
    prompt_tokens: int = 0
    passages: int = -1
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


def mark_of_folder(folder: Path) -> str:
    """Changes when a file of the folder changes: by size and time, small ones by content too."""
    parts: list[object] = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        state = path.stat()
        small = state.st_size < 1_000_000
        parts += [path.name, state.st_size, sha256_of(path) if small else state.st_mtime_ns]
    return fingerprint(*parts)
