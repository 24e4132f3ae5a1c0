"""Clicking "Suggest answer", through HTTP, with real processes, SQLite and llama.cpp."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import fill
from tests.product import Product, running

QUESTION = "I forgot my password and cannot log in, what do I do?"


def test_three_models_answer_one_click(product: Product) -> None:
    found = product.finished(product.suggest(QUESTION)["id"])

    assert found["state"] == "done"
    assert [one["label"] for one in found["candidates"]] == ["A", "B", "C"]
    assert [one["state"] for one in found["candidates"]] == ["done"] * 3
    assert all(one["text"] for one in found["candidates"])


def test_candidates_say_what_they_were_given_to_read_but_not_who_wrote_them(
    product: Product,
) -> None:
    found = product.finished(product.suggest(QUESTION)["id"])

    titles = {source["title"] for one in found["candidates"] for source in one["sources"]}
    assert "Cannot log in" in titles
    assert {one["model"] for one in found["candidates"]} == {None}
    assert {one["seconds"] for one in found["candidates"]} == {None}
    assert "tiny" not in str(found)


def test_the_nearest_solved_tickets_answer_is_one_of_the_candidates(product: Product) -> None:
    found = product.finished(product.suggest(QUESTION)["id"])

    texts = [one["text"] for one in found["candidates"]]
    assert "Click Forgot password on the sign-in page; a link comes by e-mail." in texts


def test_the_same_click_again_is_the_same_suggestion(product: Product) -> None:
    first = product.suggest("The same words,  twice")
    again = product.suggest("The same words, twice")

    assert again["id"] == first["id"]


@pytest.mark.parametrize(
    "more", [{"fresh": True}, {"steering": "mention the outage"}, {"models": ["nearest"]}]
)
def test_another_wish_or_a_fresh_one_is_another_suggestion(
    product: Product, more: dict[str, Any]
) -> None:
    first = product.suggest("Asked in several ways")
    other = product.suggest("Asked in several ways", **more)

    assert other["id"] != first["id"]


def test_events_rebuild_exactly_what_was_written(product: Product) -> None:
    asked = product.suggest("Follow this one to its end 🎈 please", fresh=True)

    texts: dict[str, str] = {}
    kinds = []
    for event in product.events(asked["id"]):
        kinds.append(event["event"])
        if event["event"] == "suggestion":
            texts = {one["id"]: one["text"] for one in event["data"]["candidates"]}
        elif event["event"] == "candidate":
            step = event["data"]
            kept = texts[step["id"]].encode("utf-16-le")[: 2 * step["offset"]].decode("utf-16-le")
            texts[step["id"]] = kept + step["append"]

    found = product.finished(asked["id"])
    assert texts == {one["id"]: one["text"] for one in found["candidates"]}
    assert kinds[0] == "suggestion"
    assert kinds[-1] == "end"


def test_a_follower_that_has_seen_all_is_told_only_the_end(product: Product) -> None:
    found = product.finished(product.suggest(QUESTION)["id"])

    seen = {"Last-Event-ID": str(found["revision"])}
    kinds = [event["event"] for event in product.events(found["id"], seen)]

    assert kinds == ["end"]


def test_a_follower_that_lost_its_connection_gets_the_whole_again(product: Product) -> None:
    found = product.finished(product.suggest(QUESTION)["id"])

    seen = {"Last-Event-ID": str(found["revision"] - 1)}
    events = list(product.events(found["id"], seen))

    assert [event["event"] for event in events] == ["suggestion", "end"]
    assert events[0]["data"]["candidates"] == found["candidates"]


def test_waiting_returns_when_something_changed(product: Product) -> None:
    asked = product.suggest("Wait for news of this", fresh=True)

    answer = product.client.get(
        f"/suggestions/{asked['id']}", params={"wait": 20, "since": asked["revision"]}
    )

    assert answer.json()["revision"] > asked["revision"]
    assert answer.elapsed.total_seconds() < 10


def test_waiting_needs_no_revision(product: Product) -> None:
    asked = product.suggest("Wait without a number", fresh=True)

    news = product.client.get(f"/suggestions/{asked['id']}", params={"wait": 20}).json()

    assert news["revision"] > asked["revision"] or news["state"] == "done"


def test_the_first_part_of_every_prompt_is_not_read_again(product: Product) -> None:
    found = product.finished(product.suggest("Never asked before, all new", fresh=True)["id"])

    rows = product.db.query(
        "SELECT cached_tokens, prompt_tokens FROM candidates "
        "WHERE suggestion_id = ? AND prompt_tokens > 0",
        [found["id"]],
    )
    assert all(row["cached_tokens"] > row["prompt_tokens"] / 3 for row in rows)


def test_calls_that_do_not_wait_are_answered_while_many_follow(tmp_path: Path) -> None:
    fill(tmp_path)
    with running(tmp_path, environment={"SUGGEST_ANSWER_WEB__THREADS": "8"}) as product:
        product.kill("backend.worker")  # so that nothing ends meanwhile
        asked = product.suggest("Followed by many")
        url = f"/suggestions/{asked['id']}/events"
        with ExitStack() as stack:
            streams = [stack.enter_context(product.client.stream("GET", url)) for _ in range(7)]
            statuses = [stream.status_code for stream in streams]
            alive = product.client.get(product.address + "/healthz").status_code

    assert statuses == [200] * 6 + [503]
    assert alive == 200


def test_a_cancelled_suggestion_stops(product: Product) -> None:
    asked = product.suggest("word " * 300, fresh=True)

    answer = product.client.delete(f"/suggestions/{asked['id']}")

    states = {one["state"] for one in answer.json()["candidates"]}
    assert "cancelled" in states
    assert states <= {"cancelled", "done", "failed"}
    later = product.finished(asked["id"])
    assert later["candidates"] == answer.json()["candidates"]


def test_a_suggestion_prepared_in_the_background_is_found_ready(product: Product) -> None:
    prepared = product.suggest("Prepared before anyone clicked", prefer="background")
    done = product.finished(prepared["id"])

    clicked = product.suggest("Prepared before anyone clicked")

    assert clicked["id"] == prepared["id"]
    assert clicked["candidates"] == done["candidates"]


def test_a_long_ticket_is_cut_to_fit_and_still_answered(product: Product) -> None:
    found = product.finished(product.suggest("a long story about printers. " * 4000)["id"])

    written = [one for one in found["candidates"] if one["state"] == "done"]
    assert len(written) >= 2


def test_one_failing_model_does_not_hurt_the_others(product: Product) -> None:
    found = product.finished(product.suggest("Zxqv wqpl mrtk bvnx?")["id"])

    failed = [one for one in found["candidates"] if one["state"] == "failed"]
    assert [one["problem"]["title"] for one in failed] == ["Nothing found"]
    assert "Import more" in failed[0]["problem"]["detail"]
    assert [one["state"] for one in found["candidates"]].count("done") == 2
    assert found["state"] == "done"


def test_each_order_of_the_models_comes_equally_often(product: Product) -> None:
    for number in range(6):
        product.suggest(f"Question of its own, number {number}", models=["nearest", "tiny-1"])

    rows = product.db.query(
        """SELECT model, count(*) AS times FROM candidates
           JOIN suggestions ON suggestions.id = suggestion_id
           WHERE models = 'nearest,tiny-1' AND label = 'A' GROUP BY model"""
    )
    assert {row["model"]: row["times"] for row in rows} == {"nearest": 3, "tiny-1": 3}
