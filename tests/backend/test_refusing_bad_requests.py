"""Bad input: a typed error with its own status and a sentence that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Product

TICKET = {"text": "How do I reset my password?"}


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"ticket": {"text": ""}}, 422, "empty-ticket", "question"),
        ({"ticket": {"text": " \n\t…"}}, 422, "empty-ticket", "question"),
        ({"ticket": {"text": "a" * 260_000}}, 413, "request-entity-too-large", "256 kB"),
        ({"ticket": {"text": "я" * 40_000, "subject": "s" * 250}, "models": ["gpt-9"]}, 404,
         "unknown-model", "Registered"),
        ({"ticket": TICKET, "steering": "x" * 501}, 400, "bad-input", "one sentence"),
        ({"ticket": TICKET, "prefer": "whenever"}, 400, "bad-input", "prefer"),
        ({"ticket": TICKET, "temperature": 2}, 400, "bad-input", "temperature"),
        ({"ticket": {**TICKET, "html": "<b>"}}, 400, "bad-input", "html"),
        ({"ticket": "text"}, 400, "bad-input", "ticket"),
        ({}, 400, "bad-input", "ticket"),
        ([], 400, "bad-input", "object"),
    ],
)  # fmt: skip
def test_a_suggestion_that_cannot_be(
    product: Product, body: Any, status: int, kind: str, words: str
) -> None:
    answer = product.client.post("/suggestions", json=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{kind}"
    assert answer.json()["status"] == status
    assert words in answer.json()["detail"]


def test_a_body_that_is_not_json(product: Product) -> None:
    answer = product.client.post("/suggestions", content=b"ticket=text")

    assert answer.status_code == 400
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Origin": "https://attacker.example"},
    ],
)
def test_a_page_of_another_site_changes_nothing(product: Product, headers: dict[str, str]) -> None:
    answer = product.client.post("/models/nearest/deactivate", headers=headers)

    assert answer.status_code in (400, 401)
    models = product.client.get("/models").json()["models"]
    assert next(one for one in models if one["name"] == "nearest")["active"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/suggestions/none"),
        ("GET", "/suggestions/none/events"),
        ("DELETE", "/suggestions/none"),
        ("GET", "/rubric?name=none"),
        ("POST", "/models/none/promote"),
        ("GET", "/nothing-here"),
    ],
)
def test_what_does_not_exist(product: Product, method: str, path: str) -> None:
    answer = product.client.request(method, path, json={} if method == "POST" else None)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_another_host_name_for_this_machine(product: Product) -> None:
    answer = product.client.get("/rubric", headers={"Host": "attacker.example"})

    assert answer.status_code == 401
    assert "attacker.example" in answer.json()["detail"]


@pytest.mark.parametrize("wait", ["soon", "-5", "-1", "nan", "inf"])
def test_a_wait_that_is_no_number(product: Product, wait: str) -> None:
    asked = product.suggest("Anything at all")

    answer = product.client.get(f"/suggestions/{asked['id']}", params={"wait": wait})

    assert answer.status_code == 400
    assert "wait" in answer.json()["detail"]
