"""Which engine writes for a model, and with which connection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlite_utils import Database

from backend.domain.errors import UnusableModel
from backend.engines.chat import ChatEngine
from backend.engines.engine import Engine
from backend.engines.nearest import NearestEngine
from backend.settings import Settings
from backend.store.models import SERVING, Model, Runner
from backend.store.search import nearest_answer


@dataclass
class Writers:
    """Engines by model. Connections to endpoints are kept for the next request."""

    settings: Settings
    db: Database
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _chats: dict[tuple[str, str, str], ChatEngine] = field(default_factory=dict)
    _closing: set[asyncio.Future[None]] = field(default_factory=set)

    def engine(self, model: Model, *, runner: Runner | None, exclude_source: str) -> Engine:
        """The engine for one reply. Raises UnusableModel where a key or a runner is missing."""
        if model.kind == "nearest":
            return self._nearest(exclude_source)
        if model.kind == "chat":
            return self._chat(model.remote_name, model.base_url, self._key(model))
        if runner is None or runner.state not in SERVING:
            raise UnusableModel(f"{model.name} is not running. See `suggest-answer models list`.")
        return self._chat(model.name, runner.base_url, runner.key)

    def _nearest(self, exclude_source: str) -> Engine:
        thresholds = self.settings.search
        return NearestEngine(
            lambda question: nearest_answer(
                question,
                db=self.db,
                threshold_solved=thresholds.solved_threshold,
                threshold_article=thresholds.article_threshold,
                exclude_source=exclude_source,
            )
        )

    def _key(self, model: Model) -> str:
        key = self.environment.get(model.key_variable, "") if model.key_variable else ""
        if model.key_variable and not key:
            raise UnusableModel(
                f"{model.name} needs its key in the environment variable "
                f"{model.key_variable}, which is not set. Set it and start the backend again."
            )
        return key

    def _forget_others(self, name: str, where: tuple[str, str, str]) -> None:
        """Closes clients of the model's earlier runners, which are gone."""
        for old in [one for one in self._chats if one[0] == name and one != where]:
            closing = asyncio.ensure_future(self._chats.pop(old).aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _chat(self, name: str, base_url: str, key: str) -> ChatEngine:
        where = (name, base_url, key)
        self._forget_others(name, where)
        if where not in self._chats:
            self._chats[where] = ChatEngine(
                name=name,
                base_url=base_url,
                key=key,
                timeout_seconds=self.settings.suggest.endpoint_timeout_seconds,
            )
        return self._chats[where]
