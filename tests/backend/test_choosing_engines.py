"""Each model has a client of its own, which is kept until its runner is another one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.errors import NothingFound
from backend.domain.passage import SolvedTicket
from backend.engines import End, Piece, Text
from backend.engines.solved_ticket import NearestEngine
from backend.knowledge.store import put_solved_tickets
from backend.services.answer import Engines
from backend.settings import read_settings
from backend.store.models import Model, Runner
from tests.backend.engines.writing import REQUEST, pieces_of

QUESTION = "Where is my reset mail?"


def test_two_endpoints_with_one_remote_name_keep_their_clients(
    db: Database, tmp_path: Path
) -> None:
    async def use() -> None:
        engines = Engines(read_settings(state_dir=tmp_path), db)
        here = Model("here", "chat", base_url="http://127.0.0.1:1/v1", remote_name="llama")
        there = replace(here, name="there", base_url="http://127.0.0.1:2/v1")
        first = engines.engine(here, runner=None, exclude_source="")
        other = engines.engine(there, runner=None, exclude_source="")

        assert first is not other
        assert engines.engine(here, runner=None, exclude_source="") is first
        assert engines.engine(there, runner=None, exclude_source="") is other

    asyncio.run(use())


def test_another_runner_is_another_client(db: Database, tmp_path: Path) -> None:
    async def use() -> None:
        engines = Engines(read_settings(state_dir=tmp_path), db)
        model = Model("tiny", "gguf")
        runner = Runner("tiny", "ready", base_url="http://127.0.0.1:1/v1", key="k")
        first = engines.engine(model, runner=runner, exclude_source="")
        restarted = replace(runner, base_url="http://127.0.0.1:2/v1")

        assert engines.engine(model, runner=runner, exclude_source="") is first
        assert engines.engine(model, runner=restarted, exclude_source="") is not first

    asyncio.run(use())


@pytest.mark.parametrize(
    ("search", "source", "written"),
    [
        ({}, "", "Click the link in it."),
        ({}, "t-1", None),  # nobody's answer is their own question's
        ({"solved_threshold": 1.0, "article_threshold": 1.0}, "", None),
    ],
)
def test_a_stored_answer_is_near_enough_and_of_another_ticket(
    db: Database, tmp_path: Path, search: dict[str, float], source: str, written: str | None
) -> None:
    put_solved_tickets(
        [SolvedTicket(id="t-1", question=QUESTION, answer="Click the link in it.")],
        db=db,
    )
    engines = Engines(read_settings(state_dir=tmp_path, search=search), db)
    nearest = Model("nearest", "nearest")
    engine = engines.engine(nearest, runner=None, exclude_source=source)
    assert isinstance(engine, NearestEngine)

    def ask() -> list[Piece]:
        return asyncio.run(pieces_of(engine, replace(REQUEST, question=QUESTION)))

    if written is None:
        with pytest.raises(NothingFound):
            ask()
    else:
        assert ask() == [Text(written), End("stop")]
