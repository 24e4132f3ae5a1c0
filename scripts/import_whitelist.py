"""A contract for import-linter: what each part of a package imports, and nothing else.

import-linter's own types say what is wrong and are silent about what they forgot: `layers` lets an
upper layer skip the one between (`web → store`), `forbidden` knows only what it names. Here each
part has a line; an import that its line does not name breaks the contract, and so does a part
without a line, a name that nothing imports, or one of a part that stands further up: imports run
downwards only. The standard library is free.

    [[tool.importlinter.contracts]]
    name = "What each part of the trainer imports"
    type = "whitelist"
    package = "trainer"
    [tool.importlinter.contracts.imports]
    cli = [".tuning", "backend.domain", "tqdm"]  # a leading dot: a part of the same package
    tuning = ["torch"]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import grimp
from importlinter import Contract, ContractCheck, fields, output

Lines = Mapping[str, tuple[str, ...]]


class LinesField(fields.Field[Lines]):
    """A table of lists: part → what it imports."""

    def parse(self, raw_data: Any) -> Lines:
        """The lines as they stand."""
        if not isinstance(raw_data, dict):
            raise fields.ValidationError("Write a table: part = [what it imports, …].")
        return {part: tuple(names) for part, names in raw_data.items()}


class Whitelist(Contract):
    """Each part's imports are those of its line, in full."""

    type_name = "whitelist"
    package = fields.StringField()
    imports = LinesField()

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        """Holds the lines against the imports that there are."""
        package, lines = str(self.package), dict(self.imports)  # type: ignore[call-overload]
        problems = [
            *_wrong_lines(package, lines, graph),
            *_unlisted_imports(package, lines, graph),
            *_unused_names(package, lines, graph),
        ]
        return ContractCheck(kept=not problems, metadata={"problems": problems})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints a sentence for each thing that is wrong."""
        for problem in check.metadata["problems"]:
            output.print_error(problem, bold=False)


def _wrong_lines(package: str, lines: Lines, graph: grimp.ImportGraph) -> Iterator[str]:
    parts = {child.removeprefix(f"{package}.") for child in graph.find_children(package)}
    for part in sorted(parts - lines.keys()):
        yield f"{package}.{part} has no line in the contract. Say what it imports."
    for part in sorted(lines.keys() - parts):
        yield f"{package}.{part} has a line in the contract and does not exist."
    order = list(lines)
    for place, part in enumerate(order):
        for name in lines[part]:
            if name.startswith(".") and name[1:] not in order[place + 1 :]:
                yield f"{package}.{part} names {name}, which does not stand below it."


def _unlisted_imports(package: str, lines: Lines, graph: grimp.ImportGraph) -> Iterator[str]:
    for importer, imported in _imports(package, graph):
        if not any(_is_within(imported, name) for name in _whole_names(package, importer, lines)):
            number = graph.get_import_details(importer=importer, imported=imported)
            line = number[0]["line_number"] if number else "?"
            yield f"{importer} imports {imported} (line {line}), which its contract does not name."


def _unused_names(package: str, lines: Lines, graph: grimp.ImportGraph) -> Iterator[str]:
    found = {
        (_part(package, importer), imported) for importer, imported in _imports(package, graph)
    }
    for part in lines:
        imported = [target for importing_part, target in found if importing_part == part]
        for name in _whole_names(package, f"{package}.{part}", lines):
            if not any(_is_within(target, name) for target in imported):
                yield f"{package}.{part} is allowed {name} and does not import it."


def _imports(package: str, graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
    """Each import that leaves a part, but for those of the standard library."""
    for importer in sorted({package, *graph.find_descendants(package)}):
        part = f"{package}.{_part(package, importer)}" if importer != package else package
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            inside = _is_within(imported, part) if importer != package else imported == package
            if not inside and imported.partition(".")[0] not in sys.stdlib_module_names:
                yield importer, imported


def _whole_names(package: str, importer: str, lines: Lines) -> list[str]:
    names = lines.get(_part(package, importer), ())
    return [package + name if name.startswith(".") else name for name in names]


def _part(package: str, module: str) -> str:
    return module.removeprefix(f"{package}.").partition(".")[0]


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
