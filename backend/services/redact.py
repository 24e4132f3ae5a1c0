"""What a model may read: the ticket with placeholders, other tickets without anybody in them.

The map from placeholders to values is a local value of the worker that writes one candidate. It is
never stored, and ends with that candidate.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from backend.domain.passage import Passage
from backend.domain.suggestion import clean
from backend.privacy import generic, without_half
from backend.privacy.detect import Recogniser, recogniser_named
from backend.privacy.detect.known import Known
from backend.privacy.placeholders import Placeholders
from backend.settings import PrivacySettings
from backend.store.models import Model
from backend.system.loopback import LOOPBACK

LONG_CHARACTERS = 10_000  # about 15 ms


@dataclass(frozen=True)
class Hidden:
    """A ticket as its model reads it, and what puts the values back."""

    question: str
    steering: str
    placeholders: Placeholders

    def shown(self, written: str) -> str:
        """What the agent sees of a reply that may still grow: no placeholder by halves."""
        return self.whole(without_half(written))

    def whole(self, written: str) -> str:
        """A finished reply with the ticket's values in it, without unseen characters."""
        return clean(self.placeholders.restore(clean(written)))


def hide(
    question: str, steering: str, contact: str, *, model: Model, settings: PrivacySettings
) -> Hidden:
    """The ticket for this model: redacted, unless it stays here and the settings let it."""
    recogniser = recogniser_named(settings.recogniser)
    placeholders = Placeholders(known_contact(contact), recogniser=recogniser)
    if settings.redact == "outside" and not leaves_the_machine(model):
        return Hidden(question, steering, placeholders)
    return Hidden(placeholders.redact(question), placeholders.redact(steering), placeholders)


async def hide_aside(
    question: str, steering: str, contact: str, *, model: Model, settings: PrivacySettings
) -> Hidden:
    """`hide`, in a thread for a long ticket, so that other replies go on meanwhile."""
    if len(question) < LONG_CHARACTERS:
        return hide(question, steering, contact, model=model, settings=settings)
    return await asyncio.to_thread(
        hide, question, steering, contact, model=model, settings=settings
    )


def leaves_the_machine(model: Model) -> bool:
    """Whether the model's endpoint is on another machine."""
    return model.kind == "chat" and urlsplit(model.base_url).hostname not in LOOPBACK


def known_contact(contact: str) -> Known:
    """What the help desk's contact field tells: a name, or a mail address."""
    if "@" in contact:
        return Known(emails=(contact.strip(),))
    return Known(names=(contact.strip(),)) if contact.strip() else Known()


def anonymous(passage: Passage, *, recogniser: Recogniser | None) -> Passage:
    """A passage of another ticket with nobody's data in it; an article's stays as it is."""
    if passage.kind != "solved":
        return passage
    placeholders = Placeholders(recogniser=recogniser)
    title, text = placeholders.redact(passage.title), placeholders.redact(passage.text)
    return replace(passage, title=generic(title), text=generic(text))
