"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend.domain import errors
from backend.domain.errors import ProductError, problem_title, problem_type
from backend.web.errors import STATUS, status_of
from scripts.bench.__main__ import NAMES as BENCHMARKS

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("backend", "trainer", "scripts", "demo", "tests", "extension")
KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ProductError)
]
BANNED_NAMES = {"utils", "util", "helpers", "helper", "manager", "handler", "data", "info", "misc"}


def files(*endings: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *OURS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = [ROOT / name for name in listed if name.endswith(endings)]
    return [file for file in found if file.is_file()]


PYTHON = files(".py")


def name_of(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name_of(file)
        for file in PYTHON
        if file.stat().st_size
        and not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name_of(file) for file in PYTHON if file.stem in BANNED_NAMES] == []


def test_tests_replace_nothing() -> None:
    replacing = re.compile(r"\bmock\.|Mock\(|setattr\(monkeypatch|monkeypatch\.setattr|@patch")
    tests = [file for file in PYTHON if file.is_relative_to(ROOT / "tests")]

    found = [name_of(file) for file in tests if replacing.search(file.read_text(encoding="utf-8"))]

    assert [name for name in found if not name.endswith("test_house.py")] == []


def imported_by(statement: str) -> set[str]:
    """Modules that a statement pulls into a new interpreter, beside those it starts with."""
    program = (
        f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_backends_package_imports_nothing() -> None:
    assert imported_by("import backend") == {"backend"}


def test_the_core_needs_nothing_but_the_standard_library() -> None:
    names = [file.stem for file in (ROOT / "backend" / "domain").glob("[a-z]*.py")]
    assert "prompt" in names

    loaded = imported_by("\n".join(f"import backend.domain.{name}" for name in names))

    strange = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert strange == {"backend", "backend.domain", *(f"backend.domain.{name}" for name in names)}
    assert not {"sqlite3", "socket", "subprocess", "asyncio"} & loaded


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind: type[ProductError]) -> None:
    status = status_of(kind)

    assert 400 <= status < 600
    own = next(parent for parent in kind.__mro__ if parent in STATUS)
    assert own is not ProductError or kind in (
        ProductError,
        errors.StoreError,
        errors.DatabaseTooNew,
        errors.BadSettings,
    ), "an error that a call can meet has a status of its own kind"


def test_every_error_is_a_problem_type_of_its_own() -> None:
    types = [problem_type(kind.__name__) for kind in KINDS]

    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"/problems/[a-z]+(-[a-z]+)*", kind) for kind in types)


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [
        ("QueueFull", "/problems/queue-full", "Queue full"),
        ("NotAGguf", "/problems/not-a-gguf", "Not a gguf"),
        ("Unknown", "/problems/unknown", "Unknown"),
    ],
)
def test_problems_are_named_in_words(name: str, kind: str, title: str) -> None:
    assert (problem_type(name), problem_title(name)) == (kind, title)


def test_every_path_in_the_readme_exists() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""

    assert [name for name in _paths(text) if not _exists(name)] == []


def _paths(text: str) -> set[str]:
    """What stands in backticks or links and begins with one of our folders."""
    quoted = re.findall(r"`([^`\s]+)`|\]\(([^)\s#]+)[^)]*\)", text)
    names = {(code or link).removeprefix("./") for code, link in quoted}
    return {name for name in names if name.split("/")[0] in {*OURS, "docs"} and "/" in name}


def _exists(name: str) -> bool:
    plain = re.sub(r":\d+$", "", name).rstrip("/")
    return any(ROOT.glob(plain)) if "*" in plain else (ROOT / plain).exists()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_that_is_named_can_be_run(name: str) -> None:
    path = ROOT / "scripts" / "bench" / f"{name}.py"
    assert path.is_file()
    assert 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
