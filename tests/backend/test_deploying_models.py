"""An admin adds, promotes and rolls back models of a running product."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from backend.store.models import runners
from backend.system.resources import cores
from tests.conftest import fill
from tests.product import Json, Product, running
from tests.tiny_gguf import write_tiny_gguf

ALLOWED = "runner_threads_allowed"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product of its own: these tests change which models there are."""
    state_dir = tmp_path_factory.mktemp("deployed")
    fill(state_dir)
    with running(state_dir) as product:
        yield product


def model(product: Product, name: str) -> Json:
    found = product.client.get("/models").json()["models"]
    return next(dict(model) for model in found if model["name"] == name)


def production(product: Product) -> list[str]:
    found = product.client.get("/models").json()["models"]
    return [model["name"] for model in found if "production" in model["aliases"]]


def threads(product: Product, name: str) -> float:
    """How many threads the runner of a model may compute with; 0 while it is not ready."""
    runner = runners(product.db).get(name)
    if runner is None or runner.state != "ready":
        return 0
    url = runner.base_url.removesuffix("/v1") + "/metrics"
    told = httpx2.get(url, headers={"Authorization": f"Bearer {runner.key}"}).text.splitlines()
    return sum(float(line.split()[-1]) for line in told if line.startswith(f"{ALLOWED} "))


def test_a_model_that_is_deactivated_gives_its_cores_to_the_others(served: Product) -> None:
    shared, all_of_them = max(1, cores() // 2), cores()
    served.wait_until(lambda: threads(served, "tiny-1") == threads(served, "tiny-2") == shared)

    served.client.post("/models/tiny-2/deactivate", json={})
    served.wait_until(lambda: threads(served, "tiny-1") == all_of_them)

    served.client.post("/models/tiny-2/activate", json={})
    served.wait_until(lambda: threads(served, "tiny-1") == threads(served, "tiny-2") == shared)


def test_a_runner_that_is_started_again_is_told_its_cores_again(served: Product) -> None:
    served.client.post("/models/tiny-2/deactivate", json={})
    served.wait_until(lambda: threads(served, "tiny-1") == cores())
    runner = runners(served.db)["tiny-1"]
    assert runner.pid

    os.kill(runner.pid, signal.SIGKILL)

    served.wait_until(lambda: runners(served.db)["tiny-1"].pid not in (None, runner.pid))
    served.wait_until(lambda: threads(served, "tiny-1") == cores())
    served.client.post("/models/tiny-2/activate", json={})


def test_promote_then_roll_back(served: Product, tmp_path: Path) -> None:
    served.client.post("/models/tiny-1/promote", json={})
    served.wait_until(lambda: production(served) == ["tiny-1"])
    file = write_tiny_gguf(tmp_path / "tuned.gguf", seed=9, context=1024)
    added = served.client.post("/models", json={"kind": "gguf", "path": str(file)})
    assert added.status_code == 201
    assert model(served, "tuned")["state"] == "stopped"

    served.client.post("/models/tuned/promote", json={})

    served.wait_until(lambda: production(served) == ["tuned"])
    assert model(served, "tuned")["active"]
    assert not model(served, "tiny-1")["active"]
    served.wait_until(lambda: model(served, "tiny-1")["state"] == "stopped")

    served.client.post("/models/tuned/rollback", json={})

    served.wait_until(lambda: production(served) == ["tiny-1"])
    assert model(served, "tiny-1")["state"] == "ready"
    served.wait_until(lambda: model(served, "tuned")["state"] == "stopped")
    assert served.finished(served.suggest("After the rollback")["id"])["state"] == "done"


def test_a_model_that_cannot_run_is_not_promoted(served: Product, tmp_path: Path) -> None:
    before = production(served)
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + b"\x03\x00\x00\x00" + b"\xff" * 64)
    served.client.post("/models", json={"kind": "gguf", "path": str(file)})

    served.client.post("/models/broken/promote", json={})

    def last() -> Json:
        return dict(served.client.get("/models").json()["promotions"][0])

    served.wait_until(lambda: last()["state"] == "failed")
    assert last()["model"] == "broken"
    assert last()["problem"]
    assert production(served) == before
    assert not model(served, "broken")["active"]


def test_a_file_that_changed_after_it_was_added_is_not_run(served: Product, tmp_path: Path) -> None:
    file = write_tiny_gguf(tmp_path / "swapped.gguf", seed=3)
    served.client.post("/models", json={"kind": "gguf", "path": str(file)})
    write_tiny_gguf(file, seed=4)

    served.client.post("/models/swapped/activate", json={})

    served.wait_until(lambda: model(served, "swapped")["state"] == "failed")
    assert "sha256" in model(served, "swapped")["problem"]
    served.client.post("/models/swapped/deactivate", json={})


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"kind": "gguf", "path": "/nowhere/model.gguf"}, 422, "no file"),
        ({"kind": "gguf", "path": __file__}, 422, "no GGUF"),
        ({"kind": "gguf"}, 400, "path"),
        ({"kind": "chat", "name": "far", "base_url": "ftp://example.org"}, 400, "base URL"),
        ({"kind": "chat", "name": "a b", "base_url": "http://127.0.0.1:1/v1"}, 400, "model name"),
        ({"kind": "nearest"}, 409, "another name"),
        ({"kind": "magic"}, 400, "kind"),
    ],
)
def test_models_that_cannot_be_added(served: Product, body: Json, status: int, words: str) -> None:
    answer = served.client.post("/models", json=body)

    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_an_endpoint_without_its_key_fails_alone(served: Product) -> None:
    body = {
        "kind": "chat",
        "name": "far",
        "base_url": "http://127.0.0.1:9/v1",
        "key_variable": "A_KEY_THAT_NOBODY_SET",
        "active": True,
    }
    assert served.client.post("/models", json=body).status_code == 201

    found = served.finished(served.suggest("Ask two", models=["far", "tiny-1"])["id"])

    states = sorted(candidate["state"] for candidate in found["candidates"])
    assert states == ["done", "failed"]
    (problem,) = [candidate["problem"] for candidate in found["candidates"] if candidate["problem"]]
    assert problem["detail"].startswith("This model needs its key in")
    assert "far" not in str(found["candidates"])
    served.client.post("/models/far/deactivate", json={})
    refused = served.client.post(
        "/suggestions", json={"ticket": {"text": "Ask one"}, "models": ["far"]}
    )
    assert refused.status_code == 422
    assert "not active" in refused.json()["detail"]


def test_keys_keep_agents_from_admin_calls(tmp_path: Path) -> None:
    fill(tmp_path)
    keys = {
        "SUGGEST_ANSWER_WEB__AGENT_KEY": "agent-secret",
        "SUGGEST_ANSWER_WEB__ADMIN_KEY": "admin-secret",
    }
    with running(tmp_path, environment=keys) as product:

        def status(path: str, key: str) -> int:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return int(product.client.get(path, headers=headers).status_code)

        keys_tried = ("", "wrong", "agent-secret", "admin-secret")
        assert [status("/rubric", key) for key in keys_tried] == [401, 401, 200, 200]
        for path in ("/models", "/reports/counts", product.address + "/metrics"):
            assert [status(path, key) for key in keys_tried] == [401, 401, 401, 200]
        (runner, *_) = product.children("backend.runner")
        inherited = Path(f"/proc/{runner}/environ").read_text()
        assert "agent-secret" not in inherited
        assert "admin-secret" not in inherited
        assert "agent-secret" not in (tmp_path / "log" / "suggest-answer.jsonl").read_text()
