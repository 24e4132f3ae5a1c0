"""The notebook, run from top to bottom in a real kernel: from examples on the hub to a GGUF."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.hub_server import TOKEN, Hub, Repository, hub_server

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOK = CHECKOUT / "trainer" / "colab.ipynb"
EXECUTED = CHECKOUT / "tests" / "artefacts" / "colab_executed.ipynb"
HUB, BASE, CHECKPOINTS = "team/answers", "team/base", "team/checkpoints"


@pytest.fixture
def hub(base: Path, examples: Path) -> Iterator[Hub]:
    with hub_server() as found:
        found.repositories[HUB] = Repository()
        found.repositories[HUB].commit({"examples.jsonl": _some(examples)})
        found.repositories[BASE] = Repository()
        found.repositories[BASE].commit(
            {path.name: path.read_bytes() for path in base.iterdir() if path.is_file()}
        )
        yield found


def _notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call,unused-ignore]


def _some(examples: Path) -> bytes:
    """A few rows of each split."""
    lines = examples.read_bytes().splitlines(keepends=True)
    train = [line for line in lines if b'"split": "train"' in line]
    return b"".join([*train[:8], *(line for line in lines if line not in train)][:12])


@pytest.fixture
def environment(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What the kernel inherits: the hub's address and token, and the packages of the tests."""
    monkeypatch.setenv("HF_ENDPOINT", hub.addresses[0])
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return monkeypatch


def test_the_notebook_ends_with_a_model_on_the_hub(
    hub: Hub, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = tmp_path / "suggest-answer"
    shutil.copytree(CHECKOUT / "trainer", code / "trainer")
    shutil.copytree(CHECKOUT / "backend", code / "backend")
    shutil.copy(CHECKOUT / "constraints.txt", code)
    notebook = _notebook()
    for cell in notebook.cells:
        cell.source = cell.source.replace("/content", str(tmp_path))
    (parameters,) = [
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())
    ]
    values = {"HUB": HUB, "BASE": BASE, "PRESET": "cpu-tiny", "NAME": "tiny-tuned"}
    values |= {"REVISION": "main", "WEIGHTS": "*.safetensors"}
    values |= {"LICENCE": "Apache-2.0", "CHECKPOINTS": CHECKPOINTS}
    values["EXAMPLES"] = "work/examples/examples.jsonl"
    values["CHANGES"] = "--epochs 1 --rank 4 --samples 0 --threads 1"
    parameters.source = "\n".join(f"%env {name}={value}" for name, value in values.items())

    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()

    EXECUTED.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, EXECUTED)  # type: ignore[no-untyped-call,unused-ignore]
    said = "".join(
        str(output.get("text", "")) for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert "suggest-answer models add hf://team/answers/tiny-tuned.gguf@" in said, said
    repository = hub.repositories[HUB]
    files = set(repository.commits[repository.head])
    assert {"tiny-tuned.gguf", "tiny-tuned.model_card.json", "adapter/training.json"} <= files
    assert TOKEN not in said
    card = json.loads(repository.commits[repository.head]["tiny-tuned.model_card.json"])
    assert (card["base"], card["licence"]) == (BASE, "Apache-2.0")
    assert CHECKPOINTS in hub.repositories


def test_the_notebook_has_no_logic_and_no_output() -> None:
    """One command a line, each a shell's or a magic; nothing of a run is kept in the file."""
    for cell in _notebook().cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert all(line[0] in "!%" for line in cell.source.splitlines())
