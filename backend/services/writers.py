"""Which engine writes for a model, and with which connection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlite_utils import Database

from backend.domain.errors import UnusableModel
from backend.domain.prompt import Passage
from backend.engines.chat import ChatEngine
from backend.engines.engine import Engine
from backend.engines.nearest import NearestEngine
from backend.privacy import recogniser_named
from backend.services.hiding import anonymous
from backend.settings import Settings
from backend.store.models import SERVING, Model, Runner
from backend.store.search import nearest_answer


@dataclass
class Writers:
    """Engines by model. Connections to endpoints are kept for the next request."""

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
