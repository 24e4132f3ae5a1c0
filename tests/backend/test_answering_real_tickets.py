"""Twenty real tickets of a real help desk, imported and asked on the command line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.services.deploy import add_gguf, add_nearest
from backend.store.database import open_database
from tests.product import Json, Product, running
from tests.shared_sets import SHARED, on_shared_sets
from tests.tiny_gguf import write_tiny_gguf

HELPDESK = SHARED / "helpdesk"
NUMBER = 20

pytestmark = on_shared_sets


def command(state_dir: Path, *arguments: str, text: str = "") -> str:
    """Runs `suggest-answer` on a state directory; what it printed."""
    process = subprocess.run(
        [sys.executable, "-m", "backend", "--state-dir", str(state_dir), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with all real articles and solved tickets, two tiny models and `nearest`."""
    state_dir = tmp_path_factory.mktemp("real")
    articles, tickets = HELPDESK / "kb" / "articles.jsonl", HELPDESK / "tickets.jsonl"
    said = command(state_dir, "import", "--articles", str(articles), "--tickets", str(tickets))
    assert "2580" in said.replace(",", "")
    db = open_database(state_dir / "suggest-answer.db")
    for number in (1, 2):
        path = write_tiny_gguf(state_dir / f"tiny-{number}.gguf", seed=number, context=4096)
        add_gguf(path, db=db, active=True)
    add_nearest(db=db)
    db.conn.close()
    with running(state_dir) as product:
        yield product


def tickets() -> list[Json]:
    """Tickets that are not among the imported ones, spread over three years."""
    with gzip.open(HELPDESK / "tickets_extra.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return rows[:: len(rows) // NUMBER][:NUMBER]


@pytest.mark.parametrize("ticket", tickets() if SHARED.exists() else [], ids=lambda row: row["id"])
def test_three_candidates_with_their_sources(real: Product, ticket: Json) -> None:
    printed = command(real.state_dir, "ask", "--json", "--names", text=json.dumps(ticket))

    candidates = json.loads(printed)["candidates"]
    assert {one["model"] for one in candidates} == {"tiny-1", "tiny-2", "nearest"}
    assert {one["state"] for one in candidates} == {"done"}, candidates
    assert all(one["text"] and one["sources"] for one in candidates)
