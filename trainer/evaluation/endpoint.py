"""A model behind an OpenAI-compatible address, to be evaluated beside one's own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import openai

from backend.domain.errors import BadInput, EngineRefused, EngineUnauthorized, EngineUnreachable
from backend.domain.prompt import Message
from trainer.evaluation.engines import Engine, Reply
from trainer.evaluation.subjects import Served
from trainer.record import fingerprint


@dataclass(frozen=True)
class EndpointSubject:
    """A model behind an OpenAI-compatible address. It says nothing about losses."""

    name: str
    address: str
    model: str
    key: str = ""

    def mark(self) -> str:
        """Of address and model: what stands behind them can change unseen."""
        return fingerprint(self.address, self.model)

    def served(self) -> Served:
        """It says nothing about it."""
        return Served()

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """A client for it."""
        with closing(openai.OpenAI(base_url=self.address, api_key=self.key or "none")) as client:
            yield _EndpointEngine(client, self)


@dataclass(frozen=True)
class _EndpointEngine:
    client: openai.OpenAI
    subject: EndpointSubject

    def surprise(self, chat: Sequence[Message]) -> None:
        """It gives no logits."""

    def reply(self, messages: Sequence[Message], *, tokens: int, letters: int = 0) -> Reply:
        if letters:
            raise BadInput(
                f"{self.subject.address} cannot be told to write on until {letters} letters. Leave "
                "out --letters, or the endpoint."
            )
        started = time.monotonic()
        try:
            done = self.client.chat.completions.create(
                model=self.subject.model,
                messages=list(messages),  # type: ignore[arg-type]
                max_tokens=tokens,
                temperature=0,
            )
        except openai.AuthenticationError as error:
            raise EngineUnauthorized(f"{self.subject.address} does not accept the key.") from error
        except openai.APIStatusError as error:
            raise EngineRefused(
                f"{self.subject.address} answered {error.status_code}. Its answers so far are kept."
            ) from error
        except openai.APIConnectionError as error:
            raise EngineUnreachable(
                f"{self.subject.address} cannot be reached. Run the same command again later: "
                "answers so far are kept."
            ) from error
        text = done.choices[0].message.content or ""
        count = done.usage.completion_tokens if done.usage else 0
        return Reply(text.strip(), count, time.monotonic() - started)
