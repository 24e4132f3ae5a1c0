"""What became of replies, as the widget asks for it on the next opening of a ticket."""

from __future__ import annotations

import time
from typing import Any

from tests.product import Product

ADA = {"X-Rater": "ada"}


def asked(product: Product, external_id: str) -> list[str]:
    ticket = {"text": "I forgot my password and cannot log in", "external_id": external_id}
    found = product.client.post("/suggestions", json={"ticket": ticket}).json()
    return [one["id"] for one in product.finished(found["id"])["candidates"]]


def used(product: Product, external_id: str, rater: str = "ada") -> list[dict[str, Any]]:
    answer = product.client.get(
        "/suggestions", params={"ticket": external_id}, headers={"X-Rater": rater}
    )
    found: list[dict[str, Any]] = answer.json()["used"]
    return found


def tell(product: Product, candidate: str, kind: str) -> None:
    url = f"/candidates/{candidate}/outcomes"
    assert product.client.post(url, json={"kind": kind}, headers=ADA).status_code == 201


def test_what_an_agent_used_is_told_until_it_is_known_as_sent(product: Product) -> None:
    first, second, _ = asked(product, "outcomes-1")
    tell(product, first, "copied")
    tell(product, first, "inserted")
    tell(product, second, "discarded")

    found = used(product, "outcomes-1")
    assert [one["candidate_id"] for one in found] == [first]
    assert set(found[0]) == {"suggestion_id", "candidate_id", "moment"}
    assert used(product, "outcomes-1", rater="petro") == []
    assert used(product, "outcomes-2") == []

    tell(product, second, "sent")
    assert used(product, "outcomes-1") == []

    time.sleep(0.01)
    tell(product, first, "inserted")
    assert [one["candidate_id"] for one in used(product, "outcomes-1")] == [first]


def test_no_ticket_is_no_use(product: Product) -> None:
    assert used(product, "") == []


def test_an_outcome_reported_again_with_its_id_is_counted_once(product: Product) -> None:
    first, *_ = asked(product, "outcomes-3")
    outcome = {"id": f"{first}.sent.2:abc", "kind": "sent", "final_text": "Hello there"}

    for _ in range(2):
        answer = product.client.post(f"/candidates/{first}/outcomes", json=outcome, headers=ADA)
        assert (answer.status_code, answer.json()) == (201, {"id": outcome["id"]})

    kept = list(product.db.query("SELECT id FROM outcomes WHERE candidate_id = ?", [first]))
    assert kept == [{"id": outcome["id"]}]
