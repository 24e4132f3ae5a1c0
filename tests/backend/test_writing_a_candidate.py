"""A claimed candidate against an endpoint that behaves, and one that does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain.model_card import ModelCard
from backend.domain.passage import SolvedTicket
from backend.domain.suggestion import Candidate
from backend.domain.ticket import Ticket
from backend.engines.chat_endpoint import ChatEngine
from backend.knowledge.store import put_solved_tickets
from backend.services.answer import Answered, answer
from backend.settings import Settings, read_settings
from backend.store import queue
from backend.store.models import Model, add_model, model_named
from backend.store.queue import Work
from backend.store.suggestions import add_suggestion, cancel, suggestion
from tests.openai_server import Asked, ChatServer, Refusal, Reply, chat_server, too_long

QUESTION = "My printer prints only blue pages since the update."


@pytest.fixture
def asked(db: Database) -> str:
    """A suggestion with one queued candidate of the model `far`, and a solved ticket like it."""
    add_model(Model("far", "chat", base_url="http://unused", active=True), db=db)
    solved = SolvedTicket(
        id="s1", subject="Blue pages", question=QUESTION, answer="Clean the head."
    )
    put_solved_tickets([solved], db=db)
    return add_suggestion(Ticket(QUESTION), ["far"], steering="", prefer="now", db=db)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(state_dir=tmp_path, suggest={"attempts": 3})


def claimed(db: Database) -> Work:
    db.execute("UPDATE candidates SET not_before = 0")
    work = queue.claim(["far"], lease_seconds=30, db=db)
    assert work
    return work


def write(chats: ChatServer, settings: Settings, db: Database) -> Answered:
    """Claims the candidate and writes it."""

    async def once() -> Answered:
        engine = ChatEngine(name="far", base_url=chats.base_url, key="k", timeout_seconds=5)
        model = model_named("far", db=db)
        how = await answer(claimed(db), model=model, engine=engine, settings=settings, db=db)
        await engine.aclose()
        return how

    return asyncio.run(once())


def only(suggestion_id: str, db: Database) -> Candidate:
    (candidate,) = suggestion(suggestion_id, db=db).candidates
    return candidate


def prompt_of(request: Asked) -> str:
    return str(request.body["messages"][-1]["content"])


def test_what_was_written_is_kept_with_its_sources_and_tokens(
    asked: str, settings: Settings, db: Database
) -> None:
    with chat_server(Reply(("Clean ", "the head. "))) as chats:
        assert write(chats, settings, db).state == "done"

    candidate = only(asked, db)
    assert (candidate.text, candidate.finish) == ("Clean the head.", "stop")
    assert [passage["key"] for passage in candidate.passages] == ["solved:s1"]
    row = next(iter(db.query("SELECT * FROM candidates")))
    assert row["completion_tokens"]
    assert row["prompt_sha256"]
    assert row["prompt_format"]


def test_what_cannot_be_seen_is_not_kept(asked: str, settings: Settings, db: Database) -> None:
    with chat_server(Reply(("Clean\u200b the \u202eh", "ead\U000e0041.\u2066\r\n"))) as chats:
        assert write(chats, settings, db).state == "done"

    assert only(asked, db).text == "Clean the head."


@pytest.mark.parametrize(("taught", "read"), [(-1, 1), (0, 0), (1, 1)])
def test_a_model_gets_no_more_passages_than_it_was_taught_to_read(
    asked: str, settings: Settings, db: Database, taught: int, read: int
) -> None:
    card = ModelCard(name="far", sha256="", passages=taught)
    db.execute("UPDATE models SET card = ?", [card.to_json()])

    with chat_server(Reply()) as chats:
        write(chats, settings, db)

    assert len(only(asked, db).passages) == read
    assert ("Clean the head." in prompt_of(chats.asked[0])) == bool(read)


def test_a_prompt_that_is_too_long_is_cut_by_the_endpoint_s_own_count(
    asked: str, settings: Settings, db: Database
) -> None:
    def fits_400(request: Asked) -> Reply | Refusal:
        tokens = len(prompt_of(request)) // 2
        return Reply() if tokens <= 400 else too_long(tokens, 400)

    db.execute("UPDATE tickets SET text = ?", ["My printer prints only blue. " * 200])
    with chat_server(fits_400) as chats:
        assert write(chats, settings, db).state == "done"
        lengths = [len(prompt_of(request)) for request in chats.asked]

    assert lengths == sorted(lengths, reverse=True)
    assert 1 < len(lengths) <= 3


def test_a_prompt_that_never_fits_fails_with_a_way_out(
    asked: str, settings: Settings, db: Database
) -> None:
    with chat_server(too_long(90, 10)) as chats:
        assert write(chats, settings, db).state == "failed"

    assert "runner.context" in str(only(asked, db).problem_detail)


@pytest.mark.parametrize(
    "trouble",
    [Refusal(429), Refusal(500), Reply(("Half a ", "reply"), break_after=1)],
    ids=["busy", "broken", "breaks off"],
)
def test_trouble_that_passes_is_tried_again_from_the_start(
    asked: str, settings: Settings, db: Database, trouble: Reply | Refusal
) -> None:
    answers: Iterator[Reply | Refusal] = iter([trouble, trouble, Reply(("Whole.",))])
    with chat_server(lambda request: next(answers)) as chats:
        states = [write(chats, settings, db).state for _ in range(3)]

    assert states == ["queued", "queued", "done"]
    assert only(asked, db).text == "Whole."
    assert only(asked, db).problem is None


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [({}, 0.4, 0.6), ({"Retry-After": "7"}, 6.9, 7.1), ({"Retry-After": "soon"}, 0.4, 0.6)],
    ids=["says nothing", "says when", "says nonsense"],
)
def test_an_endpoint_that_is_busy_is_asked_again_when_it_says(
    asked: str,
    settings: Settings,
    db: Database,
    headers: dict[str, str],
    least: float,
    most: float,
) -> None:
    with chat_server(Refusal(429, headers=headers)) as chats:
        begun = time.time()
        assert write(chats, settings, db).state == "queued"
        ended = time.time()

    ((not_before,),) = db.execute("SELECT not_before FROM candidates").fetchall()
    assert begun + least <= not_before <= ended + most


def test_trouble_that_stays_fails_after_the_last_try(
    asked: str, settings: Settings, db: Database
) -> None:
    with chat_server(Refusal(500, "Out of order.")) as chats:
        states = [write(chats, settings, db).state for _ in range(3)]

    assert states == ["queued", "queued", "failed"]
    assert "Tried 3 times" in str(only(asked, db).problem_detail)


@pytest.mark.parametrize(
    ("refusal", "problem"),
    [
        (Refusal(401), "EngineUnauthorized"),
        (Refusal(400, "No such model."), "EngineRefused"),
        (Refusal(429, "Pay first.", {"code": "insufficient_quota"}), "EngineRefused"),
    ],
)
def test_what_another_try_cannot_help_fails_at_once(
    asked: str, settings: Settings, db: Database, refusal: Refusal, problem: str
) -> None:
    with chat_server(refusal) as chats:
        assert write(chats, settings, db).state == "failed"
        assert len(chats.asked) == 1

    assert only(asked, db).problem == problem


def test_an_empty_reply_is_a_failure(asked: str, settings: Settings, db: Database) -> None:
    with chat_server(Reply((" ", "\n"))) as chats:
        assert write(chats, settings, db).state == "failed"

    assert only(asked, db).problem == "EngineRefused"


def test_half_a_character_from_an_endpoint_is_not_saved(
    asked: str, settings: Settings, db: Database
) -> None:
    with chat_server(Reply(("Fine \ud83d.",))) as chats:
        assert write(chats, settings, db).state == "done"

    assert only(asked, db).text == "Fine \ufffd."


def test_a_candidate_that_was_cancelled_meanwhile_stays_cancelled(
    asked: str, settings: Settings, db: Database
) -> None:
    def cancel_first(request: Asked) -> Reply:
        cancel(asked, db=db)
        return Reply(("Too ", "late."))

    with chat_server(cancel_first) as chats:
        assert write(chats, settings, db).state == "lost"

    assert only(asked, db).state == "cancelled"
