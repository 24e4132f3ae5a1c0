"""A customer's request as the help desk shows it."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass

from backend.domain.errors import BadInput, EmptyTicket, TooLarge

MAX_TICKET_BYTES = 256_000


@dataclass(frozen=True)
class Ticket:
    """What the customer wrote. `external_id` is the help desk's own id, if it has one.

    Raises EmptyTicket without a single letter or digit, TooLarge over 256 kB of text, BadInput for
    text that is no Unicode (a half of a surrogate pair, as broken JSON can hold).
    """

    text: str
    subject: str = ""
    external_id: str = ""
    language: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        if not any(character.isalnum() for character in self.subject + self.text):
            raise EmptyTicket(
                "The ticket has no text. "
                "Open a ticket with a question in it, or paste the question."
            )
        try:
            size = len(self.subject.encode()) + len(self.text.encode())
            (self.external_id + self.language + self.contact).encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                f"The ticket holds {error.object[error.start]!r}, half of a character. "
                "Send it as UTF-8."
            ) from error
        if size > MAX_TICKET_BYTES:
            raise TooLarge(
                f"The ticket has {size:,} bytes; {MAX_TICKET_BYTES:,} are accepted. "
                "Send only the customer's last messages."
            )

    @property
    def question(self) -> str:
        """Subject and text as one piece, the way models and search read it."""
        return "\n\n".join(part for part in (self.subject.strip(), self.text.strip()) if part)

    @property
    def fingerprint(self) -> str:
        """Hash of what was asked: equal for the same words whatever the white space."""
        plain = " ".join(unicodedata.normalize("NFC", self.question).split())
        return hashlib.sha256(f"{self.external_id}\n{plain}".encode()).hexdigest()
