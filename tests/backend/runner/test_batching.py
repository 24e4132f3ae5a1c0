"""The batch scheduler itself, with a real model: sharing, giving up, failing and going on."""

from __future__ import annotations

import threading

import pytest

from backend.domain.errors import PromptTooLong, QueueFull, Unavailable
from backend.runner.batching import BatchScheduler
from backend.runner.delivery import Event, Failed, Finished
from backend.runner.model import Context, Decoded, Model, Sampler
from backend.runner.openai_api import Sampling
from tests.backend.runner.schedulers import SECONDS, Asked, Schedulers, alone, ask

SHARED = "shared beginning, longer than the least " * 3


def test_a_prefix_is_copied_from_a_slot_that_is_still_writing(schedulers: Schedulers) -> None:
    scheduler = schedulers.start()
    first = Asked(SHARED + "one", tokens=300)
    second = Asked(SHARED + "two")

    ask(scheduler, first, second)

    assert second.cached() == len(SHARED)
    assert first.cached() == 0


def test_the_same_prompt_again_computes_only_its_last_token(schedulers: Schedulers) -> None:
    scheduler = schedulers.start()
    texts, counts = [], []
    for _ in range(3):
        asked = Asked("the very same prompt")
        ask(scheduler, asked)
        text, event = asked.end()
        assert isinstance(event, Finished)
        texts.append(text)
        counts.append(event.usage.cached)

    assert counts == [0, 19, 19]
    assert len(set(texts)) == 1


def test_other_prompts_do_not_push_out_what_was_used_just_now(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=3, cells=2048)
    for text in ("aaaa" * 20, "bbbb" * 20, "cccc" * 20, "bbbb" * 20, "cccc" * 20, "dddd" * 20):
        asked = Asked(text)
        ask(scheduler, asked)
        asked.end()

    again = [Asked(letter * 80) for letter in "bca"]
    counts = []
    for asked in again:
        ask(scheduler, asked)
        counts.append(asked.cached())

    assert counts == [79, 79, 0]


def test_a_prompt_with_little_in_common_does_not_take_the_slot_of_a_long_one(
    schedulers: Schedulers,
) -> None:
    scheduler = schedulers.start(slots=2)
    for text in ("x" * 200, "x" * 20 + "other"):
        asked = Asked(text)
        ask(scheduler, asked)
        asked.end()

    again = Asked("x" * 200)
    ask(scheduler, again)

    assert again.cached() == 199


def test_a_prompt_that_goes_on_from_another_takes_its_slot_and_no_other(
    schedulers: Schedulers,
) -> None:
    scheduler = schedulers.start(slots=2)
    for text in ("a" * 100, "b" * 100, "b" * 150):
        asked = Asked(text)
        ask(scheduler, asked)
        asked.end()

    again = Asked("a" * 100)
    ask(scheduler, again)

    assert again.cached() == 99


def test_many_replies_in_few_slots_are_what_each_is_alone(schedulers: Schedulers) -> None:
    texts = [f"question {number} {'x' * (number * 13 % 90)}" for number in range(9)]
    expected = [alone(schedulers, text) for text in texts]
    scheduler = schedulers.start(slots=3, cells=2048)
    asked = [Asked(text) for text in texts]

    ask(scheduler, *asked)

    assert [each.text() for each in asked] == expected


def test_a_cancelled_reply_says_nothing_more_and_its_place_is_used(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=1)
    given_up, waiting = Asked("a", tokens=500), Asked("b")
    ask(scheduler, given_up, waiting)
    given_up.events.get(timeout=SECONDS)

    scheduler.cancel(given_up.reply)

    assert waiting.text() == alone(schedulers, "b")
    events = [given_up.events.get() for _ in range(given_up.events.qsize())]
    assert not any(isinstance(event, Finished | Failed) for event in events)


def test_a_reply_given_up_while_it_waits_leaves_the_queue(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=1, queue=1, run=False)
    given_up, next_one = Asked("a"), Asked("b")
    ask(scheduler, given_up)
    with pytest.raises(QueueFull, match="1 requests wait already"):
        ask(scheduler, next_one)

    scheduler.cancel(given_up.reply)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    _submit_when_there_is_room(scheduler, next_one)

    assert next_one.text() == alone(schedulers, "b")
    scheduler.stop()
    thread.join(SECONDS)


def test_the_background_waits_behind_people_and_leaves_them_a_slot(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=2, run=False)
    order: list[str] = []
    background = [Asked(f"background {n}", tokens=40, background=True) for n in range(3)]
    people = [Asked(f"person {n}", tokens=5) for n in range(3)]
    for name, asked in zip("xyzabc", background + people, strict=True):
        _note_end(asked, name, order)
    ask(scheduler, *background, *people)

    thread = threading.Thread(target=scheduler.run)
    thread.start()
    for asked in background + people:
        asked.end()
    scheduler.stop()
    thread.join(SECONDS)

    assert sorted(order[:3]) == ["a", "b", "c"]
    assert order[3:] == ["x", "y", "z"]


def test_the_background_fills_only_half_of_the_queue(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(queue=4, run=False)
    ask(scheduler, Asked("a", background=True), Asked("b", background=True))

    with pytest.raises(QueueFull):
        ask(scheduler, Asked("c", background=True))
    ask(scheduler, Asked("d"))


def test_idle_sequences_make_room_when_the_cache_is_full(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=2, cells=256)
    for text in ("a" * 120, "b" * 120):
        asked = Asked(text, tokens=2)
        ask(scheduler, asked)
        asked.text()

    long = Asked("c" * 200)
    ask(scheduler, long)

    assert long.text() == alone(schedulers, "c" * 200)


def test_a_reply_that_can_get_no_room_fails_and_the_next_one_does_not(
    schedulers: Schedulers,
) -> None:
    scheduler = schedulers.start(slots=1, cells=256)
    too_long, short = Asked("a" * 300), Asked("b")

    ask(scheduler, too_long, short)

    _, event = too_long.end()
    assert isinstance(event, Failed)
    assert "could not compute" in str(event.error)
    assert short.text() == alone(schedulers, "b")


def test_a_prompt_longer_than_a_slot_is_refused_at_once(schedulers: Schedulers) -> None:
    with pytest.raises(PromptTooLong) as refused:
        ask(schedulers.start(run=False), Asked("a" * 512))

    assert (refused.value.prompt_tokens, refused.value.context_tokens) == (512, 512)


def test_what_is_in_flight_when_it_stops_fails_by_name(schedulers: Schedulers) -> None:
    scheduler = schedulers.start(slots=1)
    writing, waiting = Asked("a", tokens=500), Asked("b")
    ask(scheduler, writing, waiting)
    writing.events.get(timeout=SECONDS)

    scheduler.stop()

    for asked in (writing, waiting):
        _, event = asked.end()
        assert isinstance(event, Failed)
        assert isinstance(event.error, Unavailable)
    with pytest.raises(Unavailable):
        ask(scheduler, Asked("c"))


def test_an_aborted_pass_leaves_the_cache_as_it_was(model: Model) -> None:
    context = Context(model, sequences=1, cells=256, batch=64, threads=1)
    sampler = Sampler(Sampling(max_tokens=1, temperature=0), seed=1, vocabulary_size=262)
    prompt = [ord(letter) + 5 for letter in "some prompt"]

    def first_token() -> tuple[Decoded, int]:
        place = 0
        for position, token in enumerate(prompt):
            place = context.add(token, position=position, sequence=0)
        context.want(place)
        decoded = context.decode()
        return decoded, context.sample(sampler, place) if decoded is Decoded.DONE else -1

    expected = first_token()
    context.forget(0)
    context.abort.raise_()
    aborted = first_token()
    context.abort.lower()

    assert expected[0] is Decoded.DONE
    assert aborted == (Decoded.ABORTED, -1)
    assert first_token() == expected
    sampler.close()
    context.close()


def _note_end(asked: Asked, name: str, order: list[str]) -> None:
    put = asked.reply.sink

    def sink(event: Event) -> None:
        if isinstance(event, Finished):
            order.append(name)
        put(event)

    asked.reply.sink = sink


def _submit_when_there_is_room(scheduler: BatchScheduler, asked: Asked) -> None:
    for _ in range(1000):
        try:
            return scheduler.submit(asked.reply)
        except QueueFull:
            threading.Event().wait(0.005)
    raise AssertionError("the queue stays full")
