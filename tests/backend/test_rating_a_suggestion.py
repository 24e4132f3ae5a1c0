"""Rating candidates and saying what became of them, through HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Json, Product

FOURS = {"content": 4, "grammar": 4, "structure": 4, "style": 4}


@pytest.fixture
def suggestion(product: Product) -> Json:
    return product.finished(product.suggest("A ticket to rate", fresh=True)["id"])


def rate(product: Product, candidate: Json, rater: str, **rating: Any) -> Json:
    answer = product.client.post(
        f"/candidates/{candidate['id']}/ratings", json=rating, headers={"X-Rater": rater}
    )
    return {"status": answer.status_code, **answer.json()}


def done(suggestion: Json) -> list[Json]:
    return [one for one in suggestion["candidates"] if one["state"] == "done"]


def test_the_overall_is_the_weighted_mean(product: Product, suggestion: Json) -> None:
    scores = {"content": 5, "grammar": 4, "structure": 3, "style": 1}

    rated = rate(product, done(suggestion)[0], "olena", scores=scores)

    assert rated["status"] == 201
    assert rated["overall"] == pytest.approx((9 * 5 + 4 * 4 + 4 * 3 + 3 * 1) / 20)


def test_names_are_told_only_after_all_are_rated(product: Product, suggestion: Json) -> None:
    first, *others = done(suggestion)

    early = rate(product, first, "olena", scores=FOURS)
    late = [rate(product, other, "olena", scores=FOURS) for other in others][-1]

    assert not early["revealed"]
    assert {one["model"] for one in early["suggestion"]["candidates"]} == {None}
    assert late["revealed"]
    assert {"tiny-1", "tiny-2"} <= {one["model"] for one in late["suggestion"]["candidates"]}


def test_another_rater_stays_blind(product: Product, suggestion: Json) -> None:
    for candidate in done(suggestion):
        rate(product, candidate, "olena", scores=FOURS)

    seen = product.finished(suggestion["id"], rater="marek")

    assert {one["model"] for one in seen["candidates"]} == {None}


def test_second_thoughts_are_a_new_rating_and_the_old_one_stays(
    product: Product, suggestion: Json
) -> None:
    candidate = done(suggestion)[0]
    first = rate(product, candidate, "priya", scores={"content": 1})

    second = rate(product, candidate, "priya", scores={"content": 5})

    rows = list(
        product.db.query(
            "SELECT id, supersedes FROM ratings WHERE candidate_id = ? ORDER BY created",
            [candidate["id"]],
        )
    )
    assert [row["id"] for row in rows] == [first["id"], second["id"]]
    assert [row["supersedes"] for row in rows] == [None, first["id"]]


@pytest.mark.parametrize(
    ("rating", "status", "words"),
    [
        ({"scores": {"content": 0}}, 422, "from 1 to 5"),
        ({"scores": {"content": 6}}, 422, "from 1 to 5"),
        ({"scores": {"content": 4.5}}, 400, "content"),
        ({"scores": {"content": True}}, 400, "content"),
        ({"scores": {"charm": 3}}, 422, "content, grammar, structure, style"),
        ({"scores": {}}, 422, "empty"),
        ({"scores": FOURS, "rubric": "none"}, 404, "quality"),
        ({"scores": {"relevance": 3}, "rubric": "relevance", "rubric_version": 9}, 404, "v9"),
    ],
)
def test_ratings_that_cannot_be(
    product: Product, suggestion: Json, rating: Json, status: int, words: str
) -> None:
    answer = rate(product, done(suggestion)[0], "tom", **rating)

    assert answer["status"] == status
    assert words in answer["detail"]


def test_a_rating_needs_a_rater(product: Product, suggestion: Json) -> None:
    answer = rate(product, done(suggestion)[0], "", scores=FOURS)

    assert answer["status"] == 422
    assert "needs a rater" in answer["detail"]


def test_an_unfinished_candidate_cannot_be_rated(product: Product) -> None:
    asked = product.suggest("word " * 200, fresh=True)
    ended = product.client.delete(f"/suggestions/{asked['id']}").json()
    cancelled = next(one for one in ended["candidates"] if one["state"] == "cancelled")

    answer = rate(product, cancelled, "tom", scores=FOURS)

    assert answer["status"] == 409
    assert answer["type"] == "/problems/candidate-unfinished"


@pytest.mark.parametrize("kind", ["inserted", "copied", "edited", "discarded", "sent"])
def test_what_became_of_a_candidate_is_kept(product: Product, suggestion: Json, kind: str) -> None:
    url = f"/candidates/{done(suggestion)[0]['id']}/outcomes"

    answer = product.client.post(
        url, json={"kind": kind, "final_text": "as sent"}, headers={"X-Rater": "olena"}
    )

    assert answer.status_code == 201
    kept = dict(product.db.table("outcomes").get(answer.json()["id"]))
    assert (kept["kind"], kept["final_text"], kept["agent"]) == (kind, "as sent", "olena")


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "en"),
        ("?language=uk", "", "uk"),
        ("?language=uk-UA", "en", "uk"),
        ("?language=fr", "uk", "en"),
        ("", "uk-UA,uk;q=0.9,en;q=0.5", "uk"),
        ("", "fr,en;q=0.3", "en"),
    ],
)
def test_the_rubric_is_told_in_the_callers_language(
    product: Product, query: str, accepted: str, language: str
) -> None:
    rubric = product.client.get(f"/rubric{query}", headers={"Accept-Language": accepted}).json()

    assert rubric["language"] == language
    assert rubric["criteria"][0]["label"] == {"en": "Content", "uk": "Зміст"}[language]


def test_the_rubric_is_told_with_its_anchors(product: Product) -> None:
    rubric = product.client.get("/rubric").json()

    assert [one["key"] for one in rubric["criteria"]] == [
        "content",
        "grammar",
        "structure",
        "style",
    ]
    assert sum(one["weight"] for one in rubric["criteria"]) == rubric["weight_total"] == 20
    assert all(len(one["anchors"]) == 5 for one in rubric["criteria"])
