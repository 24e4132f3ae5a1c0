"""What all tests share: which files are looked at, and the product running on tiny models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.passage import Article, SolvedTicket
from backend.knowledge.store import put_articles, put_solved_tickets
from backend.services.deploy import add_gguf, add_nearest
from backend.store.database import open_database
from tests.product import Product, running
from tests.selection import TESTS, files_with
from tests.tiny_gguf import write_tiny_gguf

LONG = (TESTS / "trainer", TESTS / "backend" / "zoho")
LOOKED_AT = pytest.StashKey[list[Path]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LOOKED_AT] = files_with(config.getoption("keyword"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-k`, files that lack its words are not imported: torch alone takes seconds."""
    looked_at = config.stash[LOOKED_AT]
    if not looked_at or any(file.is_relative_to(collection_path) for file in looked_at):
        return None
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders of long files come first, so that processes that share the rest end together."""
    items.sort(key=lambda item: [not item.path.is_relative_to(folder) for folder in LONG])


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty database of this version."""
    found = open_database(tmp_path / "suggest-answer.db")
    yield found
    found.conn.close()


def fill(state_dir: Path) -> None:
    """Two tiny models, the nearest solved ticket, one article and one solved ticket."""
    db = open_database(state_dir / "suggest-answer.db")
    for number in (1, 2):
        path = write_tiny_gguf(state_dir / f"tiny-{number}.gguf", seed=number, context=2048)
        add_gguf(path, db=db, active=True)
    add_nearest(db=db)
    put_articles(
        [
            Article(
                id="reset",
                title="Reset your password",
                body="Open Settings, choose Security, and click Reset password.",
                url="https://help.example/reset",
                language="en",
            )
        ],
        db=db,
    )
    put_solved_tickets(
        [
            SolvedTicket(
                id="t-1",
                subject="Cannot log in",
                question="I forgot my password and cannot log in any more.",
                answer="Click Forgot password on the sign-in page; a link comes by e-mail.",
                language="en",
            )
        ],
        db=db,
    )
    db.conn.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with two tiny models and the nearest solved ticket, shared by all tests."""
    state_dir = tmp_path_factory.mktemp("product")
    fill(state_dir)
    with running(state_dir) as found:
        yield found
