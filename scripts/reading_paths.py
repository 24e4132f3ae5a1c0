"""The files that one passes when following each of the four ways through the code.

    python -m scripts.reading_paths            # files and lines of each way
    python -m scripts.reading_paths --files    # and which files these are

A way starts at its entry functions. From there every definition is followed that a definition
names: functions, classes with all their methods, constants; annotations are left out, since they
are not run. The wider count beside it is the import closure of the entry functions' modules: every
file that is loaded, whether or not the way passes through it.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("backend", "trainer")


@dataclass(frozen=True)
class Way:
    """One way: what it is called, where it begins, and the most files that it should pass."""

    name: str
    entries: tuple[str, ...]
    limit: int


WAYS = (
    Way(
        "ticket → reply",
        (
            "backend.web.suggestions:post_suggestion",
            "backend.web.suggestions:get_events",
            "backend.worker:Worker",
            "backend.services.answer:Engines",
            "backend.runner.app:_chat",
            "backend.runner.chat_template:ChatTemplate",
            "backend.runner.batching:BatchScheduler",
        ),
        45,
    ),
    Way(
        "rating → report",
        ("backend.web.suggestions:post_rating", "backend.web.reports:get_report"),
        25,
    ),
    Way(
        "Zoho thread → training row",
        ("backend.zoho.sync:export_all", "trainer.data.prepare:prepare"),
        40,
    ),
    Way(
        "example → GGUF",
        ("trainer.tuning.train:train", "trainer.gguf.merge:merge", "trainer.gguf.export:export"),
        50,
    ),
)


@dataclass
class Module:
    """One file: its top-level definitions by name, and what its imports bind, here and outside."""

    path: Path
    lines: int
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    bound: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)


@cache
def modules() -> dict[str, Module]:
    """Every module of the packages, by its dotted name."""
    paths = {
        _dotted(path): path
        for package in PACKAGES
        for path in sorted((CHECKOUT / package).rglob("*.py"))
    }
    return {name: _read(path, set(paths)) for name, path in paths.items()}


def _dotted(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(path: Path, known: set[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    module = Module(path, len(text.splitlines()))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _bind(node, module, known)
    for statement in _top_level(tree.body):
        for name in _defined(statement):
            module.definitions.setdefault(name, []).append(statement)
    return module


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _top_level(statement.body)
        else:
            yield statement


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return [
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    ]


def _bind(node: ast.Import | ast.ImportFrom, module: Module, known: set[str]) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in known:
                module.imported.add(alias.name)
                module.bound[alias.asname or alias.name] = (alias.name, None)
        return
    for alias in node.names:
        inner = f"{node.module}.{alias.name}"
        if inner in known:
            module.imported.add(inner)
            module.bound[alias.asname or alias.name] = (inner, None)
        elif node.module in known:
            module.imported.add(str(node.module))
            module.bound[alias.asname or alias.name] = (str(node.module), alias.name)
        else:
            module.outside.add(alias.asname or alias.name)


def followed(entries: tuple[str, ...]) -> set[str]:
    """The modules that the entry functions pass, definition by definition."""
    waiting = [tuple(entry.split(":")) for entry in entries]
    seen: set[tuple[str, str]] = set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        name, definition = place
        seen.add((name, definition))
        waiting += _named_by(name, definition)
    return {name for name, _ in seen}


def _named_by(name: str, definition: str) -> Iterator[tuple[str, str]]:
    module = modules()[name]
    if definition in module.outside:
        return
    if definition not in module.definitions:
        target = module.bound.get(definition)
        if target is None:
            sys.exit(f"{name} defines no {definition}: correct WAYS in {Path(__file__).name}.")
        yield (target[0], target[1] or "")
        return
    for statement in module.definitions[definition]:
        for used in _used(statement):
            yield from _resolved(used, name, module)


def _resolved(used: str, name: str, module: Module) -> Iterator[tuple[str, str]]:
    first, _, attribute = used.partition(".")
    if first in module.definitions:
        yield (name, first)
    elif first in module.bound:
        target, inner = module.bound[first]
        if inner is not None:
            yield (target, inner)
        elif attribute and (
            attribute in modules()[target].definitions or attribute in modules()[target].bound
        ):
            yield (target, attribute)


def _used(statement: ast.stmt) -> set[str]:
    """Names that are read in a statement, `module.attribute` where an attribute is taken of one."""
    used: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name):
            used.add(node.id)
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                children = value if isinstance(value, list) else [value]
                waiting += [child for child in children if isinstance(child, ast.AST)]
    return used


def loaded(entries: tuple[str, ...]) -> set[str]:
    """The modules that importing the entry functions' modules loads."""
    waiting = [entry.partition(":")[0] for entry in entries]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += modules()[name].imported
    return seen


def _lines(names: set[str]) -> int:
    return sum(modules()[name].lines for name in names)


def main() -> int:
    """Print the table; 1 if a way passes more files than it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", action="store_true", help="name the files of each way")
    asked = parser.parse_args()
    too_long = 0
    print(f"{'way':28} {'files':>5} {'most':>5} {'lines':>6}   {'loaded files':>12} {'lines':>6}")
    for way in WAYS:
        passed, all_loaded = followed(way.entries), loaded(way.entries)
        too_long += len(passed) > way.limit
        print(
            f"{way.name:28} {len(passed):5} {way.limit:5} {_lines(passed):6}   "
            f"{len(all_loaded):12} {_lines(all_loaded):6}"
        )
        for name in sorted(passed) if asked.files else ():
            print(f"    {modules()[name].path.relative_to(CHECKOUT)}")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
