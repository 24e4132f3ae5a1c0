"""Views that hide who wrote what: made from rows and a moment, no clock needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backend.domain.suggestion import Candidate, CandidateState, Suggestion
from backend.services.blind_pacing import HEAD, HOLD_SECONDS, READING_PACE, Showing, blind, is_held
from backend.services.blind_pacing import without_loss as kept

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
STORED = {"nearest"}
LONG = "word " * 200


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def candidate(
    model: str,
    state: CandidateState,
    text: str = "",
    *,
    first: float | None = None,
    end: float | None = None,
) -> Candidate:
    passages = ({"key": model, "score": 0.5, "title": model, "kind": "article", "url": ""},)
    return Candidate(
        id=model,
        suggestion_id="s",
        label=model,
        model=model,
        state=state,
        text=text,
        revision=len(text),
        finish="stop" if state == "done" else None,
        problem=None,
        problem_detail=None,
        queued=at(0),
        claimed=at(0),
        first_text=None if first is None else at(first),
        finished=None if end is None else at(end),
        passages=() if model == "blank" else passages,
    )


def suggestion(*candidates: Candidate) -> Suggestion:
    return Suggestion("s", 7, at(0), "", "now", candidates)


def seen(
    candidates: Sequence[Candidate], seconds: float, showing: Showing = "paced"
) -> dict[str, tuple[str, int]]:
    """State and length of each text as seen then."""
    moment = START + timedelta(seconds=seconds)
    found = blind(suggestion(*candidates), stored=STORED, showing=showing, moment=moment)
    return {one.model: (one.state, len(one.text)) for one in found.candidates}


NEAREST = candidate("nearest", "done", LONG, first=0.01, end=0.01)


def test_a_stored_answer_waits_for_the_first_model_and_looks_like_the_others_until_then() -> None:
    waiting = [NEAREST, candidate("slow", "queued")]
    claimed = [NEAREST, candidate("slow", "writing")]

    assert seen(waiting, 3) == {"nearest": ("queued", 0), "slow": ("queued", 0)}
    assert seen(claimed, 3) == {"nearest": ("writing", 0), "slow": ("writing", 0)}


def test_a_first_word_is_shown_at_once_and_the_stored_answer_begins_with_it() -> None:
    found = seen([NEAREST, candidate("model", "writing", "Hello", first=2.0)], 2.0)

    assert found["model"] == ("writing", 5)
    assert found["nearest"] == ("writing", HEAD)


def test_all_texts_grow_at_the_pace_of_the_slowest_model_to_their_end() -> None:
    fast = candidate("fast", "writing", LONG, first=1.0)
    slow = candidate("slow", "writing", LONG[:400], first=1.0)

    found = seen([NEAREST, fast, slow], 5.0)
    assert found["slow"] == ("writing", 400)
    assert found["fast"] == found["nearest"] == ("writing", HEAD + 400)

    done = [NEAREST, replace(fast, state="done", finished=at(2)), slow]
    done[2] = replace(slow, state="done", text=LONG[:600], finished=at(7.0))
    assert seen(done, 8.0)["nearest"] == ("writing", HEAD + 700)
    assert {state for state, _ in seen(done, 11.0).values()} == {"done"}


def test_a_very_slow_model_does_not_keep_the_others_under_reading_pace() -> None:
    slow = candidate("slow", "writing", LONG[:10], first=1.0)

    assert seen([NEAREST, slow], 6.0)["nearest"] == ("writing", HEAD + int(5 * READING_PACE))


def test_what_is_not_measured_yet_does_not_let_a_stored_answer_burst_out() -> None:
    found = seen([NEAREST, candidate("model", "writing", LONG[:500], first=2.0)], 2.2)

    assert found["nearest"][1] == HEAD + int(0.2 * READING_PACE)


def test_a_stored_answer_is_not_held_for_ever_nor_where_nothing_else_is_to_come() -> None:
    failed = candidate("broken", "failed", end=0.5)

    late = [NEAREST, candidate("slow", "queued")]
    assert seen(late, HOLD_SECONDS - 1)["nearest"][1] == 0
    assert seen(late, HOLD_SECONDS + 0.02)["nearest"] == ("done", len(LONG))
    assert seen([NEAREST, failed], 0.6)["nearest"] == ("done", len(LONG))
    assert seen([NEAREST], 0.02) == {"nearest": ("done", len(LONG))}


def test_what_was_not_shown_when_it_was_stopped_never_is() -> None:
    stopped = candidate("slow", "cancelled", LONG[:300], first=1.0, end=3.0)

    for moment in (3.0, 60.0):
        found = seen([NEAREST, stopped], moment)
        assert found == {"slow": ("cancelled", 300), "nearest": ("cancelled", HEAD + 300)}


def test_a_reply_that_stands_alone_is_shown_as_it_is_written() -> None:
    fast = candidate("model", "writing", LONG, first=1.0)

    assert seen([fast], 1.1)["model"] == ("writing", len(LONG))
    assert seen([fast, candidate("late", "queued")], 1.1)["model"][1] < len(LONG)


def test_a_text_that_was_stopped_does_not_end_in_half_a_placeholder() -> None:
    """It may be inserted: what is left of `[NAME]` would not be known as a gap."""
    stored = candidate("nearest", "done", f"{'x' * (HEAD - 3)}[NAME], hello", first=0.01, end=0.01)
    stopped = candidate("slow", "cancelled", "Hi", first=1.0, end=1.0)

    assert seen([stored, stopped], 60)["nearest"] == ("cancelled", HEAD - 3)


def test_states_revisions_ends_and_sources_are_alike() -> None:
    blank = candidate("blank", "writing", "Hello", first=1.0)
    found = blind(
        suggestion(NEAREST, blank, candidate("late", "queued")),
        stored=STORED,
        showing="paced",
        moment=START + timedelta(seconds=1.5),
    )

    assert {one.state for one in found.candidates} == {"writing"}
    assert {one.revision for one in found.candidates} == {7}
    assert {one.finish for one in found.candidates} == {None}
    titles = [[passage["title"] for passage in one.passages] for one in found.candidates]
    assert titles == [["late", "nearest"]] * 3


def test_together_shows_no_word_before_all_are_complete() -> None:
    model = candidate("model", "writing", "Hello", first=1.0)

    assert set(seen([NEAREST, model], 50, "together").values()) == {("writing", 0)}
    done = replace(model, state="done", finished=at(2))
    assert seen([NEAREST, done], 2.0, "together")["nearest"] == ("done", len(LONG))


def test_no_text_shrinks_when_the_pace_becomes_less() -> None:
    before = suggestion(candidate("fast", "writing", "Hello there", first=1.0))
    after = suggestion(candidate("fast", "writing", "Hello", first=1.0))
    other = suggestion(candidate("fast", "writing", "Anew", first=1.0))

    assert kept(before, after).candidates[0].text == "Hello there"
    assert kept(before, other) == other
    assert is_held(before, after)
    assert not is_held(before, before)
