"""Following a suggestion: what this rater may see of it, and each change of that until its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlite_utils import Database

from backend.domain.suggestion import FINISHED, Candidate, Suggestion, SuggestionState
from backend.services.blind_pacing import blind, is_held, without_loss
from backend.services.suggest import Place, place
from backend.settings import Settings
from backend.store.models import stored_models
from backend.store.ratings import rated_candidates, revealed
from backend.store.suggestions import revision, suggestion
from backend.system.database import connect

POLL_SECONDS = 0.015
KEEP_ALIVE_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 25.0
PACE_SECONDS = 0.05  # between two steps of text that is written already and shown at a pace
HELD_WAIT_SECONDS = 0.25


@dataclass(frozen=True)
class View:
    """A suggestion as one rater may see it; who wrote what is told once `is_revealed`."""

    suggestion: Suggestion
    rated: frozenset[str]
    is_revealed: bool
    place: Place


@dataclass(frozen=True)
class Change:
    """A candidate before and after, as one rater may see it."""

    before: Candidate
    after: Candidate
    revision: int


@dataclass(frozen=True)
class Silence:
    """Nothing has changed for a while."""


@dataclass(frozen=True)
class End:
    """No more is to come."""

    state: SuggestionState
    revision: int


def view(
    found: Suggestion,
    *,
    rater: str,
    settings: Settings,
    db: Database,
    moment: datetime | None = None,
) -> View:
    """The suggestion for this rater, now or at this moment: at one pace until all is rated."""
    is_revealed = bool(rater) and revealed(found.id, rater, db=db)
    seen = found if is_revealed else _blinded(found, settings=settings, db=db, moment=moment)
    return View(
        suggestion=seen,
        rated=frozenset(rated_candidates(found.id, rater, db=db)) if rater else frozenset(),
        is_revealed=is_revealed,
        place=place(seen, slots=settings.runner.slots, db=db),
    )


def _seen_by(rater: str, found: Suggestion, *, settings: Settings, db: Database) -> Suggestion:
    if rater and revealed(found.id, rater, db=db):
        return found
    return _blinded(found, settings=settings, db=db)


def _blinded(
    found: Suggestion, *, settings: Settings, db: Database, moment: datetime | None = None
) -> Suggestion:
    return blind(
        found,
        stored=stored_models(db),
        showing=settings.suggest.showing,
        moment=moment or datetime.now(UTC),
    )


def wait_for_change(
    found: Suggestion, *, since: int, seconds: float, rater: str, settings: Settings, db: Database
) -> None:
    """Returns once there is more to see than revision `since` had, or all, or time is up."""
    deadline = time.monotonic() + min(seconds, LONGEST_WAIT_SECONDS)
    writes = _Writes(db)
    while True:
        found = suggestion(found.id, db=db)
        seen = _seen_by(rater, found, settings=settings, db=db)
        is_paced = is_held(found, seen)
        if is_paced and any(candidate.text for candidate in seen.candidates):
            time.sleep(min(HELD_WAIT_SECONDS, max(0.0, deadline - time.monotonic())))
            return
        if found.revision > since or seen.state in FINISHED:
            return
        soon = time.monotonic() + HELD_WAIT_SECONDS
        if is_paced and soon < deadline:
            writes.wait(until=soon)
            continue
        if not writes.wait(until=deadline):
            return


def follow(
    suggestion_id: str, *, since: int | None, rater: str, settings: Settings
) -> Iterator[View | Change | Silence | End]:
    """The suggestion until it is finished.

    First the whole suggestion (left out if the caller has revision `since` and nothing is newer),
    then each candidate's changes, then the end. Opens a connection of its own: a stream outlives
    its request's.
    """
    db = connect(settings.database)
    with closing(db.conn):
        writes = _Writes(db)
        found = suggestion(suggestion_id, db=db)
        told = _seen_by(rater, found, settings=settings, db=db)
        if since is None or since != found.revision or is_held(found, told):
            whole = view(found, rater=rater, settings=settings, db=db)
            told = whole.suggestion
            yield whole
        while told.state not in FINISHED:
            rest = PACE_SECONDS if is_held(found, told) else KEEP_ALIVE_SECONDS
            is_new = writes.wait(until=time.monotonic() + rest)
            if not is_new and not is_held(found, told):
                yield Silence()
                continue
            if is_new and revision(suggestion_id, db=db) != found.revision:
                found = suggestion(suggestion_id, db=db)
            seen = without_loss(told, _seen_by(rater, found, settings=settings, db=db))
            for before, after in zip(told.candidates, seen.candidates, strict=True):
                if _differs(before, after):
                    yield Change(before, after, found.revision)
            told = seen
        yield End(told.state, found.revision)


def _differs(before: Candidate, after: Candidate) -> bool:
    """Whether there is anything to tell; a revision alone is none."""
    return replace(before, revision=0) != replace(after, revision=0)


class _Writes:
    """Notices writes of other connections. Make it before reading: then none is missed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._version = self._read()

    def wait(self, *, until: float) -> bool:
        """True as soon as something was written since the last call, False at `until`."""
        while True:
            version = self._read()
            if version != self._version:
                self._version = version
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_SECONDS)

    def _read(self) -> int:
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)
