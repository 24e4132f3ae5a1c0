"""Writing one candidate: redact, retrieve, render, ask the model's engine, save what it writes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from sqlite_utils import Database

from backend.domain import prompt as prompts
from backend.domain.errors import (
    WORTH_ANOTHER_TRY,
    EngineBusy,
    EngineRefused,
    EngineUnreachable,
    ProductError,
    PromptTooLong,
    UnusableModel,
)
from backend.domain.passage import Passage
from backend.domain.prompt import Prompt
from backend.domain.ticket import Ticket
from backend.engines import End, Engine, Request
from backend.engines.chat_endpoint import ChatEngine
from backend.engines.solved_ticket import NearestEngine
from backend.knowledge.ranking import nearest_answer, passages_for
from backend.privacy.detect import recogniser_named
from backend.services.redact import Hidden, anonymous, hide_aside
from backend.settings import Settings
from backend.store import queue
from backend.store.models import SERVING, Model, Runner
from backend.store.queue import Usage, Work

FLUSH_SECONDS = 0.05
NOTHING_SAID = Usage()
_SHRINK = 0.9
_FIRST_PAUSE_SECONDS = 0.5
_RENDERINGS = 3


class LostClaim(Exception):
    """The candidate was cancelled, or another worker has it: nothing more is to be written."""


@dataclass(frozen=True)
class Answered:
    """How a candidate ended, for the log: no text in it."""

    state: str
    seconds: float
    characters: int = 0
    usage: Usage = NOTHING_SAID
    problem: str = ""


async def answer(
    work: Work, *, model: Model, engine: Engine, settings: Settings, db: Database
) -> Answered:
    """Writes the candidate to its end and saves how it went. Never raises for a model's failure."""
    begun = time.monotonic()
    if work.attempts > settings.suggest.attempts:
        queue.fail(work, "Interrupted", f"Interrupted {work.attempts - 1} times.", db=db)
        return Answered("failed", 0.0, problem="Interrupted")
    try:
        written, usage = await _write(work, model=model, engine=engine, settings=settings, db=db)
    except LostClaim:
        return Answered("lost", time.monotonic() - begun)
    except WORTH_ANOTHER_TRY as error:
        state = _again(work, error, attempts=settings.suggest.attempts, db=db)
        return Answered(state, time.monotonic() - begun, problem=type(error).__name__)
    except ProductError as error:
        queue.fail(work, type(error).__name__, str(error), db=db)
        return Answered("failed", time.monotonic() - begun, problem=type(error).__name__)
    return Answered("done", time.monotonic() - begun, written, usage)


def _again(work: Work, error: ProductError, *, attempts: int, db: Database) -> str:
    kind = type(error).__name__
    if work.attempts >= attempts:
        queue.fail(work, kind, f"{error} Tried {work.attempts} times.", db=db)
        return "failed"
    pause = _FIRST_PAUSE_SECONDS * 2 ** (work.attempts - 1)
    if isinstance(error, EngineBusy):
        pause = max(pause, error.retry_after_seconds)
    queue.try_again(work, kind, str(error), after_seconds=pause, db=db)
    return "queued"


async def _write(
    work: Work, *, model: Model, engine: Engine, settings: Settings, db: Database
) -> tuple[int, Usage]:
    ticket = Ticket(text=work.text, subject=work.subject, external_id=work.external_id)
    hidden = await hide_aside(
        ticket.question, work.steering, work.contact, model=model, settings=settings.privacy
    )
    passages = _passages(hidden, ticket.external_id, model, settings=settings, db=db)
    budget = model.prompt_tokens or settings.suggest.prompt_tokens
    for _ in range(_RENDERINGS):
        prompt = prompts.render(hidden.question, passages, steering=hidden.steering, budget=budget)
        request = Request(
            question=ticket.question,
            prompt=prompt,
            answer_tokens=settings.suggest.answer_tokens,
            temperature=settings.suggest.temperature,
            background=work.priority > 0,
        )
        _keep_prompt(work, prompt, db)
        try:
            return await _stream(
                work, engine=engine, request=request, hidden=hidden, settings=settings, db=db
            )
        except PromptTooLong as error:
            budget = _smaller(budget, prompt, error, settings.suggest.answer_tokens)
    raise PromptTooLong(
        f"The prompt does not fit {model.name}, however short it is cut. Give the model more "
        "context (runner.context), or set a smaller suggest.prompt_tokens."
    )


def _passages(
    hidden: Hidden, ticket_id: str, model: Model, *, settings: Settings, db: Database
) -> Sequence[Passage]:
    """The passages for the prompt: no more than the model was taught to read, nobody's data.

    They are searched with what the model reads, as in training.
    """
    card = model.model_card
    if card and card.passages == 0:
        return ()
    found = passages_for(
        hidden.question,
        db=db,
        articles=settings.suggest.articles,
        solved=settings.suggest.solved,
        threshold=settings.search.article_threshold,
        exclude_source=ticket_id,
    )
    chosen = found[: card.passages] if card and card.passages > 0 else found
    recogniser = recogniser_named(settings.privacy.recogniser)
    return [anonymous(passage, recogniser=recogniser) for passage in chosen]


def _smaller(budget: int, prompt: Prompt, error: PromptTooLong, answer_tokens: int) -> int:
    """A budget in our estimate that should fit, from the counts that the endpoint gave."""
    if not (error.prompt_tokens and error.context_tokens):
        return budget // 2
    room = max(error.context_tokens - answer_tokens, error.context_tokens // 2)
    return min(
        int(prompt.estimated_tokens * room / error.prompt_tokens * _SHRINK), int(budget * _SHRINK)
    )


def _keep_prompt(work: Work, prompt: Prompt, db: Database) -> None:
    text = json.dumps(prompt.messages, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if not queue.keep_prompt(work, prompt, digest, prompts.FORMAT, db):
        raise LostClaim


async def _stream(
    work: Work,
    *,
    engine: Engine,
    request: Request,
    hidden: Hidden,
    settings: Settings,
    db: Database,
) -> tuple[int, Usage]:
    text, saved = "", 0.0
    async with aclosing(engine.write(request)) as pieces:
        async for piece in pieces:
            if isinstance(piece, End):
                return _finish(work, hidden.whole(text), piece, db)
            text += piece.text
            moment = time.monotonic()
            if moment - saved >= FLUSH_SECONDS:
                saved = moment
                shown, lease = hidden.shown(text), settings.suggest.lease_seconds
                if not queue.write(work, shown, lease_seconds=lease, db=db):
                    raise LostClaim
    raise EngineUnreachable("The model's endpoint ended the reply without saying so.")


def _finish(work: Work, text: str, end: End, db: Database) -> tuple[int, Usage]:
    usage = Usage(end.prompt_tokens, end.cached_tokens, end.completion_tokens)
    reply = text.strip()
    if not reply:
        raise EngineRefused("The model wrote nothing. Ask again, or choose another model.")
    if not queue.finish(work, reply, end.finish, usage, db=db):
        raise LostClaim
    return len(reply), usage


@dataclass
class Engines:
    """Which engine writes for a model. Connections to endpoints are kept for the next request."""

    settings: Settings
    db: Database
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _chats: dict[str, tuple[tuple[str, str, str], ChatEngine]] = field(default_factory=dict)
    _closing: set[asyncio.Future[None]] = field(default_factory=set)

    def engine(self, model: Model, *, runner: Runner | None, exclude_source: str) -> Engine:
        """The engine for one reply. Raises UnusableModel where a key or a runner is missing."""
        if model.kind == "nearest":
            return self._nearest(exclude_source)
        if model.kind == "chat":
            return self._chat(model.name, (model.remote_name, model.base_url, self._key(model)))
        if runner is None or runner.state not in SERVING:
            raise UnusableModel(f"{model.name} is not running. See `suggest-answer models list`.")
        return self._chat(model.name, (model.name, runner.base_url, runner.key))

    def _nearest(self, exclude_source: str) -> Engine:
        thresholds = self.settings.search
        recogniser = recogniser_named(self.settings.privacy.recogniser)

        def find(question: str) -> Passage | None:
            found = nearest_answer(
                question,
                db=self.db,
                threshold_solved=thresholds.solved_threshold,
                threshold_article=thresholds.article_threshold,
                exclude_source=exclude_source,
            )
            return anonymous(found, recogniser=recogniser) if found else None

        return NearestEngine(find)

    def _key(self, model: Model) -> str:
        key = self.environment.get(model.key_variable, "") if model.key_variable else ""
        if model.key_variable and not key:
            raise UnusableModel(
                f"{model.name} needs its key in the environment variable "
                f"{model.key_variable}, which is not set. Set it and start the backend again."
            )
        return key

    def _chat(self, model: str, where: tuple[str, str, str]) -> ChatEngine:
        """The model's client; that of an earlier runner, which is gone, is closed."""
        known, chat = self._chats.get(model, (None, None))
        if chat and known == where:
            return chat
        if chat:
            closing = asyncio.ensure_future(chat.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        name, base_url, key = where
        chat = ChatEngine(
            name=name,
            base_url=base_url,
            key=key,
            timeout_seconds=self.settings.suggest.endpoint_timeout_seconds,
        )
        self._chats[model] = (where, chat)
        return chat
