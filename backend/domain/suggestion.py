"""One click's suggestion: its candidates, their blind order, their text, what became of them."""

from __future__ import annotations

import itertools
import math
import random
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend.domain.errors import BadInput, TooLarge
from backend.domain.ticket import MAX_TICKET_BYTES

CandidateState = Literal["queued", "writing", "done", "failed", "cancelled"]
SuggestionState = Literal["queued", "writing", "done", "failed", "cancelled"]
OutcomeKind = Literal["inserted", "copied", "edited", "discarded", "sent"]
Prefer = Literal["now", "background"]

FINISHED: frozenset[str] = frozenset({"done", "failed", "cancelled"})
OUTCOMES: tuple[OutcomeKind, ...] = ("inserted", "copied", "edited", "discarded", "sent")
LABELS = "ABCDEF"
MAX_STEERING_CHARACTERS = 500
MAX_AGENT_CHARACTERS = 200


@dataclass(frozen=True)
class Candidate:
    """One model's reply, with the passages that stood in its prompt."""

    id: str
    suggestion_id: str
    label: str
    model: str
    state: CandidateState
    text: str
    revision: int
    finish: str | None
    problem: str | None
    problem_detail: str | None
    queued: str
    claimed: str | None
    first_text: str | None
    finished: str | None
    passages: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """One click and its candidates in the order of their labels."""

    id: str
    revision: int
    created: str
    steering: str
    prefer: str
    candidates: tuple[Candidate, ...]

    @property
    def state(self) -> SuggestionState:
        """That of its candidates taken together."""
        return suggestion_state([candidate.state for candidate in self.candidates])


@dataclass(frozen=True)
class Outcome:
    """What an agent did with a candidate; `final_text` is what was sent or what an edit made.

    `id` is the reporter's own, or nothing: the same outcome told again is counted once.
    Raises BadInput for an unknown kind or a long name, TooLarge for a text larger than a ticket.
    """

    kind: OutcomeKind
    final_text: str = ""
    agent: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        if self.kind not in OUTCOMES:
            raise BadInput(f"There is no outcome {self.kind!r}; there is {', '.join(OUTCOMES)}.")
        if len(self.final_text.encode()) > MAX_TICKET_BYTES:
            raise TooLarge(
                f"The final text is over {MAX_TICKET_BYTES:,} bytes. Send the reply alone."
            )
        if len(self.agent) > MAX_AGENT_CHARACTERS:
            raise BadInput(f"An agent's name or id has {MAX_AGENT_CHARACTERS} characters at most.")


def balanced_order(models: Sequence[str], *, seed: int, turn: int) -> list[str]:
    """The models in the order of their labels A, B, C … for the `turn`-th suggestion (from 0).

    Permuted blocks: every n! turns hold each of the n! orders once, shuffled by seed and block,
    so each model stands in each place equally often and no order can be guessed from the last.
    """
    if not 0 < len(models) <= len(LABELS):
        raise BadInput(f"A suggestion has 1 to {len(LABELS)} models, not {len(models)}.")
    block, place = divmod(turn, math.factorial(len(models)))
    orders = list(itertools.permutations(sorted(models)))
    random.Random(f"{seed}:{block}").shuffle(orders)  # noqa: S311 - balance, not secrecy
    return list(orders[place])


def suggestion_state(states: Sequence[CandidateState]) -> SuggestionState:
    """The state of a suggestion, from those of its candidates.

    Writing while any candidate is queued or writing and one has begun; done if at least one
    candidate is; failed if every one failed; cancelled if none is done and one was cancelled.
    """
    if any(state not in FINISHED for state in states):
        return "queued" if all(state == "queued" for state in states) else "writing"
    if "done" in states:
        return "done"
    return "cancelled" if "cancelled" in states else "failed"


_JOINABLE = "\u0600-\u0dff\u0f00-\u109f\u1780-\u18af\u2190-\u2bff\ufe0e\ufe0f\U0001f000-\U0001faff"
_VARIED = "#*0-9\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_SELECTS_NOTHING = re.compile(f"(?<![{_VARIED}])[\ufe0e\ufe0f]")
_JOINS_NOTHING = re.compile(f"(?<![{_JOINABLE}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINABLE}])")
"""Joiners outside the scripts and emoji that need them."""

_FILLERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0d\U000e0100-\U000e01ef]"
)
_KEPT = frozenset("\n\t\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
"""Control, format (bidi, zero width, tags) and half characters."""


def clean(text: str) -> str:
    """A reply without unseen characters; line ends are `\\n`. Words and emoji stay as they are.

    The panel does the same before it shows or inserts a reply
    (extension/shared/reply_text.js); both are tested with the same cases.
    """
    plain = _FILLERS.sub("", _LINE_ENDS.sub("\n", text))
    seen = "".join(
        character
        for character in plain
        if character in _KEPT or unicodedata.category(character) not in _UNSEEN
    )
    return _JOINS_NOTHING.sub("", _SELECTS_NOTHING.sub("", seen))
