"""What a model reads of a ticket, and what its reply becomes."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.app import create_app
from backend.domain.passage import SolvedTicket
from backend.domain.ticket import Ticket
from backend.engines.chat_endpoint import ChatEngine
from backend.knowledge.store import put_solved_tickets
from backend.privacy.detect import recogniser_named
from backend.services.answer import Engines, answer
from backend.services.export import export_examples
from backend.services.redact import hide
from backend.settings import Settings, read_settings
from backend.store import queue
from backend.store.models import Model, add_model, model_named
from backend.store.suggestions import add_suggestion, suggestion
from tests.openai_server import Reply, chat_server

QUESTION = (
    "My printer prints only blue pages. Write to olena.koval@example.org or 067 123 45 67. "
    "Дякую, Олена."
)
SOLVED = SolvedTicket(
    id="s1",
    subject="Blue pages",
    question="My printer prints only blue pages.",
    answer="Dear Peter Smith, we wrote to peter@example.org. Clean the head.",
)
HEADS = """
import re
from backend.privacy import Span

def recogniser():
    heads = re.compile("head")
    return lambda text: [Span(*m.span(), "NAME", m.group(), "a head") for m in heads.finditer(text)]
"""
OUTSIDE = Model("far", "chat", base_url="http://models.example/v1", active=True)
NEAR = {"article_threshold": 0.01, "solved_threshold": 0.01}
LOCAL = dataclasses.replace(OUTSIDE, base_url="http://127.0.0.1:9/v1")


def written(
    model: Model, reply: Reply, db: Database, settings: Settings
) -> tuple[str, dict[str, str]]:
    """The suggestion's id, and what the endpoint was sent by role."""
    add_model(model, db=db)
    put_solved_tickets([SOLVED], db=db)
    ticket = Ticket(QUESTION, subject="Koval: printer", contact="Olena Koval")
    asked = add_suggestion(ticket, ["far"], steering="Call Olena", prefer="now", db=db)
    work = queue.claim(["far"], lease_seconds=30, db=db)
    assert work

    async def once(base_url: str) -> None:
        engine = ChatEngine(name="far", base_url=base_url, key="k", timeout_seconds=5)
        stored = model_named("far", db=db)
        await answer(work, model=stored, engine=engine, settings=settings, db=db)
        await engine.aclose()

    with chat_server(reply) as chats:
        asyncio.run(once(chats.base_url))
    return asked, {one["role"]: one["content"] for one in chats.asked[0].body["messages"]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(state_dir=tmp_path, search=NEAR)


def test_no_model_reads_whose_ticket_it_is(db: Database, settings: Settings) -> None:
    _, prompt = written(LOCAL, Reply(), db, settings)

    told = prompt["user"]
    assert "[NAME_1]: printer" in told
    assert "Write to [EMAIL_1] or [PHONE_1]. Дякую, [NAME_1]." in told
    assert "<wish>\nCall [NAME_1]\n</wish>" in told
    assert not any(word in told for word in ("Koval", "Olena", "Олена", "067", "koval"))


def test_another_ticket_in_the_prompt_has_nobody_in_it(db: Database, settings: Settings) -> None:
    _, prompt = written(LOCAL, Reply(), db, settings)

    assert "Dear [NAME], we wrote to [EMAIL]. Clean the head." in prompt["user"]


def test_a_recogniser_of_the_house_looks_at_other_tickets_and_exports_too(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heads_of_the_house.py").write_text(HEADS)
    monkeypatch.syspath_prepend(tmp_path)
    name = "heads_of_the_house:recogniser"
    settings = read_settings(state_dir=tmp_path, search=NEAR, privacy={"recogniser": name})

    _, prompt = written(LOCAL, Reply(), db, settings)
    export_examples(tmp_path / "examples.jsonl", db=db, recogniser=recogniser_named(name))

    assert "we wrote to [EMAIL]. Clean the [NAME]." in prompt["user"]
    assert "head" not in (tmp_path / "examples.jsonl").read_text()


def test_the_reply_gets_the_values_back_and_tells_what_it_cannot_fill(
    db: Database, settings: Settings
) -> None:
    pieces = ("Dear [NA", "ME_1], we wrote to [EMAIL", "_1]. Ask [NAME] or [NAME_7].")
    asked, _ = written(LOCAL, Reply(pieces), db, settings)

    (candidate,) = suggestion(asked, db=db).candidates
    assert candidate.text == (
        "Dear Olena Koval, we wrote to olena.koval@example.org. Ask [NAME] or [NAME_7]."
    )
    shown = create_app(settings).test_client().get(f"/api/v1/suggestions/{asked}").get_json()
    assert shown["candidates"][0]["placeholders"] == ["[NAME]", "[NAME_7]"]


def test_while_it_is_written_no_half_of_a_placeholder_is_seen(settings: Settings) -> None:
    hidden = hide(QUESTION, "", "Olena Koval", model=LOCAL, settings=settings.privacy)
    reply = "Dear [NAME_1], see [1], mail [EMAIL_1]!"

    shown = [hidden.shown(reply[:end]) for end in range(len(reply) + 1)]

    whole = "Dear Olena Koval, see [1], mail olena.koval@example.org!"
    assert shown[-1] == hidden.whole(reply) == whole
    assert all(whole.startswith(one) for one in shown)


@pytest.mark.parametrize(("model", "is_hidden"), [(LOCAL, False), (OUTSIDE, True)])
def test_only_outside_endpoints_can_be_kept_from_reading_it(
    db: Database, tmp_path: Path, model: Model, is_hidden: bool
) -> None:
    settings = read_settings(state_dir=tmp_path, search=NEAR, privacy={"redact": "outside"})

    _, prompt = written(model, Reply(), db, settings)

    assert ("Write to [EMAIL_1]" in prompt["user"]) is is_hidden
    assert ("olena.koval@example.org" in prompt["user"]) is not is_hidden
    assert "[EMAIL]. Clean the head." in prompt["user"]


def test_the_nearest_answer_is_found_with_the_words_themselves_and_names_nobody(
    db: Database, settings: Settings
) -> None:
    put_solved_tickets([SOLVED], db=db)
    nearest = Model("nearest", "nearest", active=True)
    engine = Engines(settings, db).engine(nearest, runner=None, exclude_source="")
    hidden = hide(QUESTION, "", "", model=nearest, settings=settings.privacy)

    async def first() -> str:
        from backend.domain.prompt import render
        from backend.engines import Request, Text

        request = Request(SOLVED.question, render(hidden.question), 10, 0.0)
        async for piece in engine.write(request):
            assert isinstance(piece, Text)
            return hidden.whole(piece.text)
        raise AssertionError

    assert asyncio.run(first()) == "Dear [NAME], we wrote to [EMAIL]. Clean the head."
