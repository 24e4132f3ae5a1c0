"""The settings as `suggest-answer settings` shows them: each value, and where it came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from backend.settings import Settings, leaves, settings_file, shown, variables


@dataclass(frozen=True)
class SettingLine:
    """One setting as `suggest-answer settings` shows it."""

    name: str
    value: str
    source: str
    description: str


def explain(settings: Settings, *, overrides: Mapping[str, Any]) -> Iterator[SettingLine]:
    """Each setting, its value and where it came from. Keys are not shown."""
    file = settings_file()
    written = tomllib.loads(file.read_text()) if file.is_file() else {}
    environment = {name.upper() for name in os.environ}
    for path, value, description in leaves(settings):
        if _within(overrides, path):
            source = "command line"
        elif named := [name for name in variables(path) if name in environment]:
            source = f"environment {named[0]}"
        elif _within(written, path):
            source = str(file)
        else:
            source = "default"
        yield SettingLine(".".join(path), shown(value), source, description)


def _within(tree: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    for name in path:
        if isinstance(tree, BaseModel):
            return name in tree.model_fields_set
        if not isinstance(tree, Mapping) or name not in tree:
            return False
        tree = tree[name]
    return True
