"""Requests that are none: refused in OpenAI's shape, and the runner goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backend.runner.conftest import RunningRunner


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"messages": NaN}', b"[" * 9999])
def test_a_body_that_is_no_request_is_refused(runner: RunningRunner, body: Any) -> None:
    assert runner.http.post("/v1/chat/completions", content=body).status_code == 400


def test_a_body_too_large_is_refused(runner: RunningRunner) -> None:
    assert runner.chat("x" * 2_000_000).status_code == 413


def test_an_unknown_model_is_refused(runner: RunningRunner) -> None:
    response = runner.chat("Hi", model="gpt-4")

    assert response.status_code == 400
    assert "serves only 'tiny'" in response.json()["error"]["message"]
