"""Preparing examples of a raw export: personal data out, customers apart, time kept."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.errors import BadInput, BadSettings
from backend.intake.deduplication import ALIKE, likeness, signatures_of
from tests.desk_lines import Line, of_forum_thread, threads_of, ticket
from tests.shared_sets import SHARED, on_shared_sets
from trainer.data.prepare import Choices, Sources, prepare, read_examples

WORDS = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("ada", "emi", "olu", "iro", "unda", "espe")]


def line(number: int, customer: int, day: int, draw: random.Random) -> Line:
    asked = f"How do I {' '.join(draw.choices(WORDS, k=12))}? I am Ana Diaz."
    answer = f"Please open {' '.join(draw.choices(WORDS, k=10))}. Regards to ana@customer.example"
    return ticket(
        str(1000 + number),
        *threads_of(asked, answer),
        subject=f"About {draw.choice(WORDS)}",
        contactId=f"c{customer}",
        contact={"firstName": "Ana", "lastName": "Diaz"},
        createdTime=f"2024-{1 + day // 28:02}-{1 + day % 28:02}T08:00:00.000Z",
    )


def export(folder: Path, lines: list[Line]) -> Path:
    path = folder / "raw" / "desk" / "tickets.jsonl"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return folder / "raw"


def some(count: int, customers: int, seed: int = 1) -> list[Line]:
    draw = random.Random(seed)
    return [line(n, draw.randrange(customers), draw.randrange(330), draw) for n in range(count)]


def prepared(folder: Path, lines: list[Line], **choices: Any) -> dict[str, Any]:
    return prepare(
        sources=Sources(zoho=export(folder, lines)), out=folder / "out", choices=Choices(**choices)
    )


def test_an_export_becomes_examples_without_personal_data(tmp_path: Path) -> None:
    card = prepared(tmp_path, some(120, 60), golden_share=0.1)

    text = (tmp_path / "out" / "examples.jsonl").read_text(encoding="utf-8")
    assert "Ana" not in text
    assert "customer.example" not in text
    assert "[NAME_1]" in text
    assert card["personal_data_found_in_result"] == {"ticket": {}}
    assert card["placeholders"].keys() >= {"NAME", "EMAIL"}
    page = (tmp_path / "out" / "data_card.md").read_text(encoding="utf-8")
    assert "| golden |" in page
    assert not (tmp_path / "out" / ".prepare").exists()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    customers=st.integers(5, 80),
    seed=st.integers(1, 10**6),
    golden=st.sampled_from([0.0, 0.05, 0.3]),
    keep=st.sampled_from(["drop", "together"]),
)
def test_the_rule_of_the_splits_holds(
    tmp_path_factory: pytest.TempPathFactory, customers: int, seed: int, golden: float, keep: Any
) -> None:
    folder = tmp_path_factory.mktemp("splits")
    lines = some(90, customers, seed)
    copies = random.Random(seed).choices(lines, k=15)
    for number, copy in enumerate(copies):
        lines.append({**copy, "id": str(5000 + number)})
    who = {line["id"]: line["record"]["contactId"] for line in lines}

    prepared(folder, lines, golden_share=golden, validation_share=0.2, near_duplicates=keep)

    examples = read_examples(folder / "out" / "examples.jsonl")
    splits = defaultdict(set)
    for example in examples:
        splits[who[example.source.removeprefix("ticket:")]].add(example.split)
    assert all(len(found) == 1 for found in splits.values())
    held = [example.created for example in examples if example.split == "golden"]
    others = [example.created for example in examples if example.split != "golden"]
    assert not held or max(others) <= min(held)
    assert bool(held) == bool(golden)
    marks = signatures_of([example.question for example in examples])
    for left, right in itertools.combinations(range(len(examples)), 2):
        if examples[left].split != examples[right].split:
            assert likeness(marks[left], marks[right]) < ALIKE


def test_one_customer_has_a_twentieth_of_the_training_set_at_most(tmp_path: Path) -> None:
    draw = random.Random(3)
    lines = some(150, 100) + [line(500 + number, 999, 20, draw) for number in range(60)]

    card = prepared(tmp_path, lines, golden_share=0.0, validation_share=0.0)

    of = {line["id"]: line["record"]["contactId"] for line in lines}
    examples = read_examples(tmp_path / "out" / "examples.jsonl")
    largest = sum(of[example.source.removeprefix("ticket:")] == "c999" for example in examples)
    assert largest == card["rows_of_one_customer_at_most"] <= 0.05 * len(examples)
    assert card["dropped"]["more than 5 % from one customer"] == 60 - largest


def test_the_same_answer_to_many_questions_is_kept_a_few_times(tmp_path: Path) -> None:
    answer = "Please open Settings, then press Reset."
    draw = random.Random(1)
    asked = [f"How do I {' '.join(draw.choices(WORDS, k=12))}?" for _ in range(30)]
    lines = [ticket(str(n), *threads_of(question, answer)) for n, question in enumerate(asked)]

    card = prepared(tmp_path, lines, same_answers=5)

    assert card["examples"] == 5
    assert card["dropped"] == {"answer given to 5 others already": 25}


def program(folder: Path, out: str, **variables: str) -> subprocess.Popen[bytes]:
    command = f"-m trainer prepare --zoho {folder / 'raw'} --out {folder / out}"
    return subprocess.Popen(
        [sys.executable, *command.split()],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
    )


def test_the_same_bytes_with_any_hash_seed_and_after_being_killed(tmp_path: Path) -> None:
    export(tmp_path, some(900, 300))
    for out, seed in (("one", "1"), ("two", "2")):
        assert program(tmp_path, out, PYTHONHASHSEED=seed).wait() == 0
    for pause in (0.6, 1.2, 2.0):
        killed = program(tmp_path, "killed")
        time.sleep(pause)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert program(tmp_path, "killed").wait() == 0
    prepare(sources=Sources(zoho=tmp_path / "raw"), out=tmp_path / "here")

    for name in ("examples.jsonl", "data_card.json", "data_card.md"):
        made = {(tmp_path / out / name).read_bytes() for out in ("one", "two", "killed", "here")}
        assert len(made) == 1


def test_what_was_finished_for_other_choices_is_not_used(tmp_path: Path) -> None:
    raw = export(tmp_path, some(60, 30))

    def stop(stage: str, done: int, of: int) -> None:
        if stage == "writing examples":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(sources=Sources(zoho=raw), out=tmp_path / "a", progress=stop)
    other = Choices(seed=5)
    prepare(sources=Sources(zoho=raw), out=tmp_path / "a", choices=other)
    prepare(sources=Sources(zoho=raw), out=tmp_path / "b", choices=other)

    made = {(tmp_path / out / "examples.jsonl").read_bytes() for out in ("a", "b")}
    assert len(made) == 1


def test_ideal_answers_come_before_what_was_sent(tmp_path: Path) -> None:
    asked = "How do I reset my password in the portal when the old phone is lost?"
    sent = {"question": asked, "answer": "Open Settings.", "source": "ticket:1", "language": "en"}
    rating = {"id": "r1", "question": asked, "ideal_answer": "Open Settings, Security, Reset."}
    other = {"question": "Where is my invoice?", "answer": "In Billing.", "source": "sent:9"}
    (tmp_path / "examples.jsonl").write_text(json.dumps(sent) + "\n" + json.dumps(other) + "\n")
    unrated = {"id": "r2", "question": asked, "ideal_answer": ""}
    (tmp_path / "ratings.jsonl").write_text(json.dumps(rating) + "\n" + json.dumps(unrated) + "\n")

    card = prepare(
        sources=Sources(rated=tmp_path), out=tmp_path / "out", choices=Choices(golden_share=0)
    )

    examples = read_examples(tmp_path / "out" / "examples.jsonl")
    assert {example.source for example in examples} == {"ideal:r1", "sent:9"}
    assert card["dropped"] == {"near duplicate of a ticket": 1}


def test_nothing_to_prepare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nothing to prepare"):
        Sources()
    with pytest.raises(BadInput, match="cannot be read"):
        prepare(tickets=tmp_path / "nowhere.jsonl", out=tmp_path)
    with pytest.raises(BadInput, match="left to train on"):
        prepared(tmp_path, [])


@on_shared_sets
def test_real_threads_are_prepared_and_every_one_is_accounted_for(tmp_path: Path) -> None:
    path = SHARED / "helpdesk" / "raw_threads_sample.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    card = prepared(tmp_path, [of_forum_thread(row) for row in rows])

    assert card["rows_read"] == 230
    assert card["examples"] + sum(card["dropped"].values()) == 230
    assert card["dropped"]["ticket unanswered"] >= 50
    assert set(card["languages"]) <= {"en", "fr", "es", "de", ""}


@on_shared_sets
def test_tickets_in_many_languages_are_prepared(tmp_path: Path) -> None:
    folder = SHARED / "multilingual"
    rows = [
        {**json.loads(line), "language": ""}
        for name in ("tickets_other_languages", "uk_written_pairs")
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    tickets = tmp_path / "tickets.jsonl"
    tickets.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    card = prepare(tickets=tickets, out=tmp_path / "out")

    assert card["languages"]["uk"] >= 20
    assert card["languages"]["it"] >= 65
    assert re.fullmatch(r"[0-9a-f]{64}", card["sha256"])


def test_loyal_customers_cost_few_rows(tmp_path: Path) -> None:
    card = prepared(tmp_path, some(600, 200), golden_share=0.05)

    lost = card["dropped"]["older ticket of a customer in golden"]
    lost += card["dropped"]["newer ticket of a customer in training"]
    assert card["splits"]["golden"] >= 30
    assert lost <= 0.2 * 600
