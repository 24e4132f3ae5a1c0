"""No model: the answer that was sent to the most similar solved ticket, else an article's passage.

Useful from the first minute, and the baseline that a tuned model has to beat.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from backend.domain.errors import NothingFound
from backend.domain.passage import Passage
from backend.engines import End, Piece, Request, Text


class NearestEngine:
    """Answers with what `find` returns for the question."""

    def __init__(self, find: Callable[[str], Passage | None]) -> None:
        self._find = find

    async def write(self, request: Request) -> AsyncGenerator[Piece]:
        """The found text in one piece. Raises NothingFound where nothing is similar enough."""
        passage = self._find(request.question)
        if passage is None:
            raise NothingFound(
                "No solved ticket and no article is close enough to this ticket. "
                "Import more of them, or write the reply yourself: the next one will be found."
            )
        yield Text(passage.text)
        yield End(finish="stop")
