"""Wrong imports, planted one at a time into the graph of what is imported: lint-imports sees each.

Import-linter runs as ever, with the contracts of pyproject.toml; only the graph that it would build
of the source files is built once and given to it with one import more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import grimp
import importlinter.api  # noqa: F401 - configures import-linter
import pytest
from importlinter.adapters.building import GraphBuilder
from importlinter.application.app_config import settings
from importlinter.application.use_cases import lint_imports

CHECKOUT = Path(__file__).resolve().parent.parent.parent

Lint = Callable[[grimp.ImportGraph], bool]

WRONG = [
    # the sixteen of which eight were let through once, in the words of today's house
    ("backend.runner.model", "backend.privacy.placeholders"),
    ("backend.runner.app", "backend.intake.mail"),
    ("backend.runner.__main__", "backend.settings"),
    ("backend.runner.loading", "backend.knowledge.ranking"),
    ("trainer.tuning.train", "backend.supervisor"),
    ("trainer.data.prepare", "backend.settings"),
    ("trainer.evaluation.evaluate", "backend.services.answer"),
    ("backend.engines.chat_endpoint", "backend.settings"),
    ("backend.zoho.sync", "backend.settings"),
    ("backend.store.queue", "backend.settings"),
    ("backend.store.models", "structlog"),
    ("backend.domain.ticket", "backend.system.files"),
    ("backend.services.suggest", "backend.web.errors"),
    ("backend.web.suggestions", "backend.cli.ask"),
    ("backend.privacy.placeholders", "flask"),
    ("backend.services.answer", "llama_cpp"),
]


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
def keeps() -> Iterator[Lint]:
    """Whether lint-imports passes over these imports."""
    own = settings.GRAPH_BUILDER

    def lint(graph: grimp.ImportGraph) -> bool:
        settings.configure(GRAPH_BUILDER=Given(graph))
        return lint_imports(str(CHECKOUT / "pyproject.toml"), is_debug_mode=True, no_logo=True)

    yield lint
    settings.configure(GRAPH_BUILDER=own)


def test_what_is_imported_is_what_the_contracts_name(
    imports: grimp.ImportGraph, keeps: Lint
) -> None:
    assert keeps(imports)


@pytest.mark.parametrize(("importer", "imported"), WRONG)
def test_a_wrong_import_is_refused(
    importer: str, imported: str, imports: grimp.ImportGraph, keeps: Lint
) -> None:
    planted = deepcopy(imports)
    assert importer in planted.modules
    planted.add_import(importer=importer, imported=imported)
    assert not keeps(planted)
