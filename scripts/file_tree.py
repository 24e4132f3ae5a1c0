"""The tree of the house with a line a file, for `docs/architecture.md`.

    python -m scripts.file_tree            # print it
    python -m scripts.file_tree --write    # put it into docs/architecture.md

A file's line is the first sentence of its own header, so the tree cannot say anything else than the
files do. A test holds the page against it.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "architecture.md"
BEGIN, END = "<!-- tree: begin -->", "<!-- tree: end -->"
ROOMS = ("backend", "trainer", "extension", "scripts", "demo")
_ENDINGS = (".py", ".js", ".toml")
_JS_HEADER = re.compile(r"\A/\*\*\s*\n?\s*\*?\s*(?P<line>[^\n]+)")


def tree() -> str:
    """Each folder with its files, a line a file: its name and what its header says it is."""
    lines: list[str] = []
    folder = Path()
    for file in sorted(_files(), key=lambda file: (file.parent.parts, file.name != "__init__.py")):
        if file.parent != folder:
            folder = file.parent
            lines += ["", f"{folder}/{_folder_header(folder)}"]
        if file.name != "__init__.py":
            lines.append(f"  {file.name:24} {header(CHECKOUT / file)}".rstrip())
    return "\n".join(lines).strip()


def _files() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *ROOMS],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in sorted(set(listed.stdout.splitlines())):
        file = Path(name)
        if file.suffix in _ENDINGS and (CHECKOUT / file).is_file():
            yield file


def _folder_header(folder: Path) -> str:
    init = CHECKOUT / folder / "__init__.py"
    line = header(init) if init.is_file() else ""
    return f"  {line}" if line else ""


def header(file: Path) -> str:
    """The first line of a file's header; nothing if it has none."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    if file.suffix == ".toml":
        first = text.partition("\n")[0]
        return first.removeprefix("#").strip().partition(". ")[0] if first.startswith("#") else ""
    found = _JS_HEADER.match(text)
    return found["line"].removesuffix("*/").strip() if found else ""


def with_tree(page: str) -> str:
    """The page with today's tree between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```\n{tree()}\n```\n{END}{after}"


def main() -> int:
    """Print the tree, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(CHECKOUT)}")
    if parser.parse_args().write:
        PAGE.write_text(with_tree(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(tree())
    return 0


if __name__ == "__main__":
    sys.exit(main())
