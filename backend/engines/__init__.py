"""What every engine does: turn a prompt into pieces of text, then say how it ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from backend.domain.prompt import Prompt


@dataclass(frozen=True)
class Request:
    """What a model is asked: the rendered prompt, the bare question, and limits."""

    question: str
    prompt: Prompt
    answer_tokens: int
    temperature: float
    background: bool = False


@dataclass(frozen=True)
class Text:
    """A piece of the reply, to be added to what came before."""

    text: str


@dataclass(frozen=True)
class End:
    """How the reply ended ("stop" or "length"), and its tokens as far as the endpoint told."""

    finish: str
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


Piece = Text | End


class Engine(Protocol):
    """Writes one reply. Closing the generator early, or cancelling its task, stops the model."""

    def write(self, request: Request) -> AsyncGenerator[Piece]:
        """Pieces of the reply as they come, then one End.

        Raises EngineError, or PromptTooLong with the counts.
        """
        ...
