"""A page elsewhere may call only if web.origins names it, and then only as the widget does."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.app import create_app
from backend.domain.errors import BadSettings
from backend.settings import Settings, WebSettings, read_settings

WIDGET = "https://0a1b2c.zappsusercontent.com"
KEY = "correct-horse-battery"
ASK = {"ticket": {"text": "How do I reset my password?"}}
ALLOW = "Access-Control-Allow-Origin"


def client(state_dir: Path, *origins: str) -> FlaskClient:
    web = WebSettings(origins=origins, agent_key=KEY, admin_key=KEY + "-admin")
    return create_app(Settings(state_dir=state_dir, web=web)).test_client()


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,x-rater",
    }


def test_the_widget_may_ask_with_its_headers(tmp_path: Path) -> None:
    answer = client(tmp_path, WIDGET).options("/api/v1/suggestions", headers=preflight(WIDGET))

    assert answer.status_code == 204
    assert answer.headers[ALLOW] == WIDGET
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "x-rater", "last-event-id"} == set(allowed)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://0a1b2c.zappsusercontent.com.evil.example",
        "https://x0a1b2c.zappsusercontent.com",
        "http://0a1b2c.zappsusercontent.com",
        "https://0a1b2c.zappsusercontent.com:444",
        "null",
        "*",
        "",
    ],
)
def test_any_other_page_is_told_nothing(tmp_path: Path, origin: str) -> None:
    browser = client(tmp_path, WIDGET)

    for answer in (
        browser.options("/api/v1/suggestions", headers=preflight(origin)),
        browser.get("/api/v1/rubric", headers={"Origin": origin}),
    ):
        assert not [name for name in dict(answer.headers) if name.startswith("Access-Control")]


def test_nothing_is_allowed_unless_it_is_set(tmp_path: Path) -> None:
    answer = client(tmp_path).options("/api/v1/suggestions", headers=preflight(WIDGET))

    assert ALLOW not in answer.headers
    assert "Vary" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/", "/api/v1/models", "/api/v1/reports/means", "/metrics", "/healthz", "/api/v1/suggestion"],
)
def test_only_what_the_widget_needs_is_open(tmp_path: Path, path: str) -> None:
    browser = client(tmp_path, WIDGET)

    for answer in (
        browser.options(path, headers=preflight(WIDGET, "GET")),
        browser.get(path, headers={"Origin": WIDGET}),
    ):
        assert not [name for name in dict(answer.headers) if name.startswith("Access-Control")]


def test_an_answer_of_any_kind_can_be_read_by_the_widget_but_needs_the_key(tmp_path: Path) -> None:
    browser = client(tmp_path, WIDGET)
    key = {"Origin": WIDGET, "Authorization": f"Bearer {KEY}"}

    without = browser.post("/api/v1/suggestions", json=ASK, headers={"Origin": WIDGET})
    unknown = browser.get("/api/v1/suggestions/none", headers=key)
    rubric = browser.get("/api/v1/rubric", headers=key)

    assert [one.status_code for one in (without, unknown, rubric)] == [401, 404, 200]
    assert [one.headers[ALLOW] for one in (without, unknown, rubric)] == [WIDGET] * 3


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "https://*.zappsusercontent.com", "https://a.example/", "https://A.example",
     "http://a.example", "a.example", "https://a.example:0", "https://user@a.example", ""],
)  # fmt: skip
def test_an_origin_must_be_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("SUGGEST_ANSWER_STATE_DIR", str(tmp_path))

    with pytest.raises(BadSettings, match="is no origin"):
        read_settings(web=WebSettings.model_construct(origins=(origin,)).model_dump())
