"""What a caller may see of a suggestion who may not know yet which model wrote what.

A stored answer is there at once and models write at speeds of their own, so when and how fast a
text appears would tell who wrote it. Therefore (`paced`):

- No text is held back that is the first one a model wrote: a first word comes as soon as it may.
- A stored answer begins when the first model begins, or after `HOLD_SECONDS` without one.
- All texts grow at one pace: that of the slowest model that writes, but no slower than people
  read, so that a slow model does not keep a fast one's words from them.
- What is finished but not yet shown is still being written, as far as callers can tell.
- States, revisions and sources are alike for all.

A model far slower than people read can still be told by its pace, and a late one by its beginning.
`together` shows no word before every text is complete: nothing can be told then, and people wait.
The view depends on the rows and the moment only; nothing is kept between two calls.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from backend.domain.suggestion import FINISHED, Candidate, CandidateState, Suggestion
from backend.privacy import without_half

Showing = Literal["paced", "together"]

HOLD_SECONDS = 20.0
READING_PACE = 60.0  # characters a second; people read some 25
UNMEASURED_SECONDS = 0.3
HEAD = 24  # characters that are shown at once: a first word is whole


def blind(
    found: Suggestion, *, stored: Collection[str], showing: Showing, moment: datetime
) -> Suggestion:
    """The suggestion as such a caller may see it at this moment.

    `stored`: the names of models that answer with a stored text. A suggestion with one candidate
    has nothing to hide and stays as it is.
    """
    if len(found.candidates) < 2:
        return found
    stops = _stops(found.candidates)
    moment = min([moment, *stops])
    unshown: CandidateState = "cancelled" if stops else "writing"
    if showing == "together":
        shown = [_together(candidate, found.candidates) for candidate in found.candidates]
    else:
        pace = _pace(found.candidates, stored, moment)
        shown = [
            _cut(
                candidate,
                due=_due(_start(candidate, found.candidates, stored), pace, moment),
                state=unshown,
            )
            for candidate in found.candidates
        ]
    has_begun = any(candidate.text for candidate in shown) or any(
        candidate.state == "writing" and candidate.model not in stored
        for candidate in found.candidates
    )
    passages = _passages(found.candidates)
    return replace(
        found,
        candidates=tuple(
            replace(
                candidate,
                state=_alike(candidate.state, has_begun),
                revision=found.revision,
                passages=passages,
            )
            for candidate in shown
        ),
    )


def is_held(found: Suggestion, shown: Suggestion) -> bool:
    """Whether more is written than shown, so that the view changes though no row does."""
    pairs = zip(found.candidates, shown.candidates, strict=True)
    return any(ours.text != theirs.text or ours.state != theirs.state for ours, theirs in pairs)


def without_loss(before: Suggestion, after: Suggestion) -> Suggestion:
    """The view `after`, in which no text is shorter than it was: the pace may have become less."""
    pairs = zip(before.candidates, after.candidates, strict=True)
    return replace(after, candidates=tuple(_longer(old, new) for old, new in pairs))


def _longer(old: Candidate, new: Candidate) -> Candidate:
    return replace(new, text=old.text) if old.text.startswith(new.text) else new


def _stops(candidates: Sequence[Candidate]) -> list[datetime]:
    """When the suggestion was stopped: what was not shown by then never is."""
    return [
        _at(candidate.finished)
        for candidate in candidates
        if candidate.state == "cancelled" and candidate.finished
    ]


def _start(
    candidate: Candidate, candidates: Sequence[Candidate], stored: Collection[str]
) -> datetime | None:
    """When the candidate's text begins to show: a stored one's with the first that is written."""
    if not candidate.first_text:
        return None
    own = _at(candidate.first_text)
    if candidate.model not in stored:
        return own
    written = [other for other in candidates if other.model not in stored]
    began = [_at(other.first_text) for other in written if other.first_text]
    if began:
        return max(own, min(began))
    waited = any(other.state not in FINISHED for other in written)
    return own + timedelta(seconds=HOLD_SECONDS) if waited else own


def _pace(candidates: Sequence[Candidate], stored: Collection[str], moment: datetime) -> float:
    """Characters a second: the slowest model's so far, but no slower than people read.

    Infinite once no model writes or wrote: then there is nothing to be like.
    """
    paces = []
    for candidate in candidates:
        if candidate.model in stored or candidate.state == "failed" or not candidate.first_text:
            continue
        end = min(_at(candidate.finished), moment) if candidate.finished else moment
        seconds = (end - _at(candidate.first_text)).total_seconds()
        is_measured = bool(candidate.finished) or seconds > UNMEASURED_SECONDS
        paces.append(len(candidate.text) / max(seconds, 0.01) if is_measured else READING_PACE)
    return max(READING_PACE, min(paces, default=math.inf))


def _due(start: datetime | None, pace: float, moment: datetime) -> float:
    """How many characters are due by now; `pace` may be infinite."""
    seconds = (moment - start).total_seconds() if start else -1.0
    if seconds < 0:
        return 0.0
    return math.inf if math.isinf(pace) else HEAD + seconds * pace  # no time times inf is no number


def _cut(candidate: Candidate, *, due: float, state: CandidateState) -> Candidate:
    """The candidate with as much of its text as is due, and no placeholder by halves."""
    if len(candidate.text) <= due or candidate.state == "failed":
        return candidate
    text = without_half(candidate.text[: int(due)])
    return replace(candidate, state=state, text=text, finish=None)


def _together(candidate: Candidate, candidates: Sequence[Candidate]) -> Candidate:
    if all(other.state in FINISHED for other in candidates):
        return candidate
    return replace(candidate, state="writing", text="", finish=None, problem=None)


def _alike(state: CandidateState, has_begun: bool) -> CandidateState:
    if state in FINISHED:
        return state
    return "writing" if has_begun else "queued"


def _passages(candidates: Sequence[Candidate]) -> tuple[Mapping[str, Any], ...]:
    """What any of them was given to read, each once: that one model reads less would tell it."""
    found = {passage["key"]: passage for candidate in candidates for passage in candidate.passages}
    return tuple(sorted(found.values(), key=lambda passage: (-passage["score"], passage["key"])))


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
