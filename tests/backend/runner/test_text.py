"""Text out of token bytes: no half characters, no half stop texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from backend.runner.slots import GrowingText


def pieces(text: str, size: int) -> list[bytes]:
    raw = text.encode()
    return [raw[start : start + size] for start in range(0, len(raw), size)]


@given(some.text(), some.integers(1, 5))
def test_characters_come_whole_however_their_bytes_are_cut(text: str, size: int) -> None:
    growing = GrowingText()

    given_out = [growing.feed(piece) for piece in pieces(text, size)]

    assert "".join(given_out) + growing.finish() == text


def test_half_a_character_at_the_end_is_dropped() -> None:
    growing = GrowingText()

    assert growing.feed("їж".encode()[:3]) == "ї"
    assert growing.finish() == ""


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert GrowingText().feed(b"a\xff\xfeb") == "a\ufffd\ufffdb"


@given(
    some.text("abc", max_size=40),
    some.lists(some.text("abc", min_size=1, max_size=4), min_size=1, max_size=4),
    some.integers(1, 4),
)
def test_a_text_ends_before_its_first_stop_however_it_is_cut(
    text: str, stops: list[str], size: int
) -> None:
    growing = GrowingText(tuple(stops))
    shown = ""
    for piece in pieces(text, size):
        shown += growing.feed(piece)
        assert not any(stop in shown for stop in stops)
        if growing.stopped:
            break
    shown += growing.finish()

    assert text.startswith(shown)
    if not any(stop in text for stop in stops):
        assert shown == text
    else:
        assert growing.stopped
        assert any(text.startswith(stop, len(shown)) for stop in stops)


def test_what_may_become_a_stop_is_held_back_until_it_is_clear() -> None:
    growing = GrowingText(("END",))

    assert [growing.feed(p) for p in (b"a", b"E", b"N", b"x", b"EN", b"D", b"!")][:6] == [
        *("a", "", "", "ENx", "", "")
    ]
    assert growing.stopped


def test_the_first_space_of_a_sentencepiece_text_is_dropped() -> None:
    growing = GrowingText(drop_first_space=True)

    assert [growing.feed(b" Hi"), growing.feed(b" you")] == ["Hi", " you"]
