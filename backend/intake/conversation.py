"""What every help desk's records become: one conversation, whoever kept it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from backend.intake.html import looks_like_html, text_of_html, tidy
from backend.intake.mail import own_words
from backend.privacy.detect.known import Known

NOBODY = Known()

Who = Literal["customer", "agent", "machine"]
LONGEST_TEXT = 200_000  # characters of one message that are read


@dataclass(frozen=True)
class Message:
    """One public message. `at` is UTC in ISO 8601, or empty if the record does not tell."""

    who: Who
    text: str
    at: str = ""


@dataclass(frozen=True)
class Conversation:
    """A ticket with its public messages, oldest first. Internal notes are not in it.

    `customer` is the same for all tickets of one customer, and empty if nobody knows. `solution`
    is what the record itself keeps as the answer. `refused` says why the ticket as a whole is of
    no use, such as `spam`.
    """

    id: str
    subject: str
    messages: tuple[Message, ...] = ()
    solution: str = ""
    customer: str = ""
    created: str = ""
    topic: str = ""
    url: str = ""
    closed: bool = False
    refused: str = ""
    known: Known = NOBODY


def plain_text(content: str, content_type: str = "") -> str:
    """What stands in a field that may hold HTML or plain text; the whole of it."""
    shown = content[: 20 * LONGEST_TEXT]
    markup = "html" in content_type.lower() or (
        "plain" not in content_type.lower() and looks_like_html(shown)
    )
    return (text_of_html(shown) if markup else tidy(shown))[:LONGEST_TEXT]


def mail_text(content: str, content_type: str = "") -> str:
    """What the writer of a message wrote for this message, as plain text."""
    return own_words(plain_text(content, content_type))


def text_in(record: Any, name: str) -> str:
    """A field's text; empty for what is missing or no text. A number is written out."""
    value = record.get(name) if isinstance(record, dict) else None
    if isinstance(value, bool) or value is None:
        return ""
    return str(value).strip() if isinstance(value, str | int | float) else ""


def moment(value: Any) -> str:
    """A time in any zone as UTC with seconds; empty for what is none."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    zoned = read if read.tzinfo else read.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def record_in(line: dict[str, Any]) -> dict[str, Any]:
    """The record of a raw line; an empty one if there is none."""
    value = line.get("record")
    return value if isinstance(value, dict) else {}


def rows_in(line: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in a list of a raw line; none for what is no list."""
    value = line.get(name)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def present(*values: str) -> tuple[str, ...]:
    """The values that are not empty, each once."""
    return tuple(dict.fromkeys(value for value in values if value))
