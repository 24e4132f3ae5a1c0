"""After a real run nothing personal is in logs, metrics or exports: the detector looks itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import cli
from backend.privacy.detect import find
from backend.store.database import open_database
from backend.store.models import Model, add_model
from tests.conftest import fill
from tests.openai_server import Asked, Refusal, Reply, chat_server
from tests.product import Product, running
from tests.shared_sets import SHARED, on_shared_sets

TEXTS = ("question", "text", "answer", "comment", "ideal_answer")
SETS = SHARED / "pii" / "real_tickets_refilled.jsonl"


def tickets(number: int) -> list[tuple[str, str, list[str]]]:
    """Texts of real tickets with invented people in them: text, contact, what is private."""
    rows = [json.loads(line) for line in SETS.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if any(span["label"] == "PERSON" for span in row["spans"])]
    found = []
    for row in rows[:number]:
        names = [span["value"] for span in row["spans"] if span["label"] == "PERSON"]
        found.append((row["text"], names[0], [span["value"] for span in row["spans"]]))
    return found


def quoting(asked: Asked) -> Reply | Refusal:
    """An endpoint that quotes what it was sent, in a reply or, every other time, in a refusal."""
    told = asked.body["messages"][-1]["content"]
    return Refusal(400, f"Bad prompt: {told}") if len(told) % 2 else Reply((told[:300],))


def use(product: Product, number: int) -> list[str]:
    """Asks, rates and sends; the values that stood in the tickets."""
    private = []
    for text, contact, values in tickets(number):
        private += [contact, *values]
        ticket = {"text": text, "contact": contact}
        asked = product.client.post("/suggestions", json={"ticket": ticket}).json()
        for candidate in product.finished(asked["id"])["candidates"]:
            if candidate["state"] != "done":
                continue
            url = f"/candidates/{candidate['id']}"
            rating = {"rater": "r", "scores": {"content": 5}, "ideal_answer": text}
            product.client.post(f"{url}/ratings", json=rating).raise_for_status()
            outcome = {"kind": "sent", "final_text": f"Dear {contact},\n{text}"}
            product.client.post(f"{url}/outcomes", json=outcome).raise_for_status()
    return private


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    fill(tmp_path)
    return tmp_path


@on_shared_sets
def test_logs_metrics_and_exports_hold_nobody_s_data(state_dir: Path) -> None:
    with chat_server(quoting) as chats:
        db = open_database(state_dir / "suggest-answer.db")
        add_model(Model("quoting", "chat", base_url=chats.base_url, active=True), db=db)
        db.conn.close()
        with running(state_dir) as product:
            private = use(product, 8)
            metrics = product.client.get(f"{product.address}/metrics").text
        prompts = [asked.body["messages"][-1]["content"] for asked in chats.asked]

    assert len(private) > 8
    assert len(prompts) == 8
    logs = "".join(file.read_text() for file in (state_dir / "log").iterdir())
    assert "candidate_done" in logs
    out = state_dir / "out"
    done = CliRunner().invoke(cli, ["--state-dir", str(state_dir), "export", str(out)])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for file in out.iterdir() for line in file.read_text().splitlines()]
    exported = [row[field] for row in rows for field in TEXTS if row.get(field)]
    assert len(exported) > 20

    for text in (logs, metrics, *exported, *prompts):
        assert find(text) == []
        assert [value for value in private if value in text] == []


def test_tickets_at_the_same_time_get_their_own_values_back(state_dir: Path) -> None:
    slow = Reply(("We wrote to [EMA", "IL_1] and ", "called [PHONE_1]."), seconds_between=0.05)
    with chat_server(slow) as chats:
        db = open_database(state_dir / "suggest-answer.db")
        add_model(Model("slow", "chat", base_url=chats.base_url, active=True), db=db)
        db.conn.close()
        with running(state_dir) as product:
            asked = {}
            for number in range(12):
                ticket = {"text": f"Mail me: c{number}@example.org"}
                body = {"ticket": ticket, "models": ["slow"]}
                asked[number] = product.client.post("/suggestions", json=body).json()["id"]
            texts = {
                number: product.finished(one)["candidates"][0]["text"]
                for number, one in asked.items()
            }

    assert texts == {n: f"We wrote to c{n}@example.org and called [PHONE_1]." for n in range(12)}
