"""What is done to messages before a model's chat template writes them: alike in runner and trainer.

Control tokens written in a message are taken apart, so that a ticket cannot end its turn or begin
another's; and the system's text has a place also where a template knows no system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.domain.prompt import Message

SEAM = "\ufdd0"  # never a character: where a control token in a message was taken apart


@dataclass(frozen=True)
class ControlTexts:
    """The texts that a tokenizer would read as control tokens."""

    pattern: re.Pattern[str] | None

    @staticmethod
    def of(texts: Iterable[str]) -> ControlTexts:
        """These texts, but for those of a single letter, which could not be taken apart."""
        longest_first = sorted({text for text in texts if len(text) > 1}, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest_first))
        return ControlTexts(re.compile(alternatives) if alternatives else None)

    def taken_apart(self, message: Message) -> Message:
        """The message with a seam after the first letter of each control token, also nested ones.

        Where the rendered text is cut at its seams and tokenised piece by piece, no tokenizer can
        read a control token that the template did not write.
        """
        content = message["content"].replace(SEAM, "")
        return {"role": message["role"], "content": self._apart(content)}

    def _apart(self, text: str) -> str:
        if self.pattern is None:
            return text
        return self.pattern.sub(lambda match: match[0][0] + SEAM + self._apart(match[0][1:]), text)


def without_system(messages: Sequence[Message]) -> list[Message]:
    """The messages with the system's text at the head of the first; none if that cannot be.

    For a template that refuses the system role, as those of the first Mistrals do.
    """
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    others = [message for message in messages if message["role"] != "system"]
    if not system or not others or others[0]["role"] != "user":
        return []
    first: Message = {"role": "user", "content": f"{system}\n\n{others[0]['content']}"}
    return [first, *others[1:]]
