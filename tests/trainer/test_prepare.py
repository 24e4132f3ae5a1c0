"""Preparing examples of articles and solved tickets."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from backend.domain.errors import BadInput, BadSettings
from backend.domain.example import Example
from tests.trainer.tiny import write_corpus
from trainer.data.prepare import Choices, prepare, read_examples


def test_the_same_files_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)

    for name in ("once", "again"):
        prepare(articles=articles, tickets=tickets, out=tmp_path / name)
    prepare(articles=articles, tickets=tickets, out=tmp_path / "other", choices=Choices(seed=2))

    once, again, other = (
        (tmp_path / name / "examples.jsonl").read_bytes() for name in ("once", "again", "other")
    )
    assert once == again
    assert once != other
    cards = [(tmp_path / name / "data_card.json").read_bytes() for name in ("once", "again")]
    assert cards[0] == cards[1]


def test_the_newest_tickets_are_golden_and_articles_are_trained_on(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)

    prepare(articles=articles, tickets=tickets, out=tmp_path, choices=Choices(golden_share=0.25))

    examples = read_examples(tmp_path / "examples.jsonl")
    tickets_of = defaultdict(list)
    for example in examples:
        tickets_of[example.source.partition(":")[0], example.split].append(example.created)
    golden = tickets_of.pop(("ticket", "golden"))
    others = tickets_of["ticket", "train"] + tickets_of["ticket", "validation"]
    assert len(golden) == 8
    assert min(golden) >= max(others)
    assert {split for kind, split in tickets_of if kind == "article"} == {"train"}


def test_an_article_gives_one_example_a_section(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)

    prepare(articles=articles, tickets=tickets, out=tmp_path)

    examples = read_examples(tmp_path / "examples.jsonl")
    asked = [
        example.question
        for example in examples
        if example.source.startswith("article:about-invoice#")
    ]
    assert asked == [
        "All about invoice",
        "All about invoice: Steps",
        "All about invoice: Still stuck?",
    ]


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)
    first = json.loads(tickets.read_text().splitlines()[0])
    bad = [{**first, "id": "copy"}, {**first, "id": "mute", "answer": " "}]
    bad.append({"id": "blank", "subject": "", "question": "…", "answer": "Hello"})
    with tickets.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in bad)

    card = prepare(articles=articles, tickets=tickets, out=tmp_path)

    assert card["dropped"] == {
        "exact duplicate of a ticket": 1,
        "ticket without a question": 1,
        "ticket without an answer": 1,
    }
    assert card["kinds"] == {"article": 12, "ticket": 32}


def test_no_example_quotes_its_own_answer_or_a_ticket_held_out(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)

    prepare(articles=articles, tickets=tickets, out=tmp_path, choices=Choices(passage_share=1.0))

    examples = read_examples(tmp_path / "examples.jsonl")
    trained = {example.source for example in examples if example.split == "train"}
    quoted = Counter[str]()
    for example in examples:
        keys = [passage.key.replace("solved:", "ticket:") for passage in example.passages]
        assert example.source not in keys
        assert len(keys) == len(set(keys)) <= 3
        quoted.update(key for key in keys if key.startswith("ticket:"))
    assert quoted
    assert set(quoted) <= trained


@pytest.mark.parametrize(
    ("line", "says"),
    [("{", "line 33: this is no JSON"), ('{"subject": "no id"}', "line 33: there is no id")],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    articles, tickets = write_corpus(tmp_path)
    with tickets.open("a") as file:
        file.write(line + "\n")

    with pytest.raises(BadInput, match=says):
        prepare(articles=articles, tickets=tickets, out=tmp_path)


def test_a_gzip_file_is_read_and_half_of_one_is_refused(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)
    whole = gzip.compress(tickets.read_bytes())
    tickets.write_bytes(whole)

    assert prepare(articles=articles, tickets=tickets, out=tmp_path)["kinds"]["ticket"] == 32

    tickets.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"broken gzip file .*end-of-stream"):
        prepare(articles=articles, tickets=tickets, out=tmp_path)


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)
    for path in (articles, tickets):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    card = prepare(articles=articles, tickets=tickets, out=tmp_path)

    assert card["kinds"] == {"article": 12, "ticket": 32}


def test_an_id_for_two_tickets_is_refused(tmp_path: Path) -> None:
    articles, tickets = write_corpus(tmp_path)
    first = json.loads(tickets.read_text().splitlines()[0])
    with tickets.open("a") as file:
        file.write(json.dumps({**first, "answer": "Something else"}) + "\n")

    with pytest.raises(BadInput, match="stand for several tickets"):
        prepare(articles=articles, tickets=tickets, out=tmp_path)


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(BadSettings, match="validation_share"):
        Choices(validation_share=1.5)


def test_a_line_separator_inside_a_text_ends_no_example(tmp_path: Path) -> None:
    example = Example(question="a\u2028b\x85c", answer="d\u2029e", source="ticket:1")
    (tmp_path / "examples.jsonl").write_text(example.to_json() + "\n", encoding="utf-8")

    assert read_examples(tmp_path / "examples.jsonl") == [example]
