"""Wrong imports, planted one at a time into the graph of what is imported: lint-imports sees each.

Import-linter runs as ever, with the contracts of pyproject.toml; only the graph that it would build
of the source files is built once and given to it with one import more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import grimp
import importlinter.api  # noqa: F401 - configures import-linter
import pytest
from importlinter.adapters.building import GraphBuilder
from importlinter.application.app_config import settings
from importlinter.application.use_cases import lint_imports

PROJECT = Path(__file__).resolve().parent.parent.parent / "pyproject.toml"
CONTRACTS = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
ROOMS = [contract for contract in CONTRACTS if contract["type"] == "layers"]
WHITELISTS = [contract for contract in CONTRACTS if contract["type"] == "whitelist"]
PACKAGES = [
    *(contract["package"] for contract in WHITELISTS),
    *(container for room in ROOMS for container in room["containers"]),
]
WRONG = [
    # a runner knows one GGUF, and nothing of the product
    ("backend.runner", "backend.privacy"),
    ("backend.runner", "backend.intake"),
    ("backend.runner", "backend.knowledge"),
    ("backend.runner", "backend.settings"),
    ("backend.runner", "backend.store"),
    # settings are read at the edge
    ("backend.engines", "backend.settings"),
    ("backend.zoho", "backend.settings"),
    ("backend.store", "backend.settings"),
    ("backend.knowledge", "backend.settings"),
    ("backend.privacy", "backend.settings"),
    ("backend.intake", "backend.settings"),
    ("backend.system", "backend.settings"),
    ("backend.domain", "backend.settings"),
    # routes and commands go through services
    ("backend.web", "backend.store"),
    ("backend.web", "backend.knowledge"),
    ("backend.web", "backend.engines"),
    ("backend.web", "backend.zoho"),
    ("backend.web", "sqlite_utils"),
    ("backend.cli", "backend.store"),
    ("backend.cli", "backend.knowledge"),
    ("backend.cli", "backend.engines"),
    # imports run downwards
    ("backend.web", "backend.cli"),
    ("backend.services", "backend.web"),
    ("backend.store", "backend.services"),
    ("backend.zoho", "backend.store"),
    ("backend.engines", "backend.store"),
    ("backend.intake", "backend.store"),
    ("backend.store", "backend.knowledge"),
    ("backend.store", "backend.privacy"),
    ("backend.system", "backend.privacy"),
    ("backend.domain", "backend.system"),
    ("backend.settings", "backend.store"),
    ("backend.worker", "backend.web"),
    ("backend.supervisor", "backend.runner"),
    ("backend.app", "backend.worker"),
    # packages from outside have their places
    ("backend.domain", "pydantic"),
    ("backend.privacy", "flask"),
    ("backend.intake", "flask"),
    ("backend.knowledge", "flask"),
    ("backend.services", "flask"),
    ("backend.store", "structlog"),
    ("backend.services", "llama_cpp"),
    ("backend.web", "sqlite3"),
    ("backend.intake", "sqlite3"),
    ("backend.services", "torch"),
    ("backend.runner", "transformers"),
    ("backend", "flask"),
    ("backend", "backend.app"),
    # the trainer takes what serving and training share
    ("trainer.tuning", "backend.supervisor"),
    ("trainer.data", "backend.settings"),
    ("trainer.data", "backend.zoho"),
    ("trainer.data", "backend.store"),
    ("trainer.evaluation", "backend.services"),
    ("trainer.gguf", "backend.runner"),
    ("trainer.data", "torch"),
    ("trainer.record", "torch"),
    ("trainer.data", "trainer.tuning"),
    ("trainer.hub", "trainer.tuning"),
    ("trainer.tuning", "trainer.gguf"),
    ("trainer.gguf", "trainer.evaluation"),
    ("trainer", "backend.domain"),
    ("backend.knowledge", "trainer.data"),
    ("backend.services", "scripts"),
]

Keeps = Callable[[grimp.ImportGraph], bool]


class Given(GraphBuilder):
    """Gives import-linter a graph that is built already."""

    def __init__(self, graph: grimp.ImportGraph) -> None:
        self._graph = graph

    def build(self, *given: object, **options: object) -> grimp.ImportGraph:
        """The graph, whatever is asked for."""
        return self._graph


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """What the packages import."""
    return grimp.build_graph("backend", "trainer", include_external_packages=True, cache_dir=None)


@pytest.fixture
def planted(imports: grimp.ImportGraph) -> grimp.ImportGraph:
    """What the packages import, to plant something into."""
    return deepcopy(imports)


@pytest.fixture
def keeps() -> Iterator[Keeps]:
    """Whether lint-imports passes over these imports."""
    own = settings.GRAPH_BUILDER

    def lint(graph: grimp.ImportGraph) -> bool:
        settings.configure(GRAPH_BUILDER=Given(graph))
        return lint_imports(str(PROJECT), is_debug_mode=True, no_logo=True)

    yield lint
    settings.configure(GRAPH_BUILDER=own)


def test_what_is_imported_is_what_the_contracts_name(
    imports: grimp.ImportGraph, keeps: Keeps
) -> None:
    assert keeps(imports)


@pytest.mark.parametrize(("importer", "imported"), WRONG)
def test_a_wrong_import_is_refused(
    importer: str, imported: str, planted: grimp.ImportGraph, keeps: Keeps
) -> None:
    assert importer in planted.modules
    planted.add_import(importer=importer, imported=imported)

    assert not keeps(planted)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room["containers"][0])
def test_inside_a_room_imports_run_downwards(
    room: dict[str, Any], planted: grimp.ImportGraph, keeps: Keeps
) -> None:
    (container,) = room["containers"]
    names = [name.strip() for layer in room["layers"] for name in layer.split("|")]
    planted.add_import(importer=f"{container}.{names[-1]}", imported=f"{container}.{names[0]}")

    assert not keeps(planted)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_that_no_contract_names_is_refused(
    package: str, planted: grimp.ImportGraph, keeps: Keeps
) -> None:
    planted.add_module(f"{package}.telephony")

    assert not keeps(planted)


def test_every_package_has_its_contract(imports: grimp.ImportGraph) -> None:
    ours = [module for module in imports.modules if not imports.is_module_squashed(module)]
    packages = {module for module in ours if imports.find_children(module)}

    assert packages == set(PACKAGES)


@pytest.mark.parametrize(
    ("part", "name"), [("backend.web", "flask"), ("trainer.hub", "huggingface_hub")]
)
def test_a_contract_names_nothing_that_is_not_imported(
    part: str, name: str, planted: grimp.ImportGraph, keeps: Keeps
) -> None:
    for module in planted.find_descendants(part):
        if name in planted.find_modules_directly_imported_by(module):
            planted.remove_import(importer=module, imported=name)

    assert not keeps(planted)


def test_no_contract_overlooks_an_import_by_name() -> None:
    assert not [contract for contract in CONTRACTS if "ignore_imports" in contract]
