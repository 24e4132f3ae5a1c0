"""Models side by side: they answer through the serving prompt, and figures say which is better."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain.errors import BadInput, EngineUnreachable
from backend.domain.example import Example
from backend.domain.model_card import ModelCard
from backend.domain.prompt import render
from tests.openai_server import Reply as Served
from tests.openai_server import chat_server
from trainer.cli import main
from trainer.data.prepare import read_examples
from trainer.evaluation.answers import ANSWERS, SubjectAnswer, answers
from trainer.evaluation.comparison import difference_of, figures, mean_of
from trainer.evaluation.evaluate import Asking, Evaluation, evaluate
from trainer.evaluation.measures import MEASURES, Measured
from trainer.evaluation.subjects import EndpointSubject, FolderSubject, GgufSubject, TimedReply
from trainer.gguf.convert import write_gguf

ASKING = Asking(prompt_tokens=300, answer_tokens=12)


@pytest.fixture(scope="session")
def tickets(examples: Path) -> tuple[Example, ...]:
    return tuple(example for example in read_examples(examples) if example.split != "train")[:3]


@pytest.fixture(scope="session")
def tuned_gguf(merged: Path, workshop: Path) -> Path:
    path = workshop / "evaluated.gguf"
    write_gguf(merged, path, name="tuned")
    card = ModelCard(name="tuned", sha256="0" * 64, metrics={"kept": 1})
    path.with_name("evaluated.model_card.json").write_text(card.to_json())
    return path


def test_base_and_tuned_are_compared(
    base: Path, merged: Path, tuned_gguf: Path, tickets: tuple[Example, ...], tmp_path: Path
) -> None:
    subjects = (
        FolderSubject("base", base),
        FolderSubject("tuned", merged),
        GgufSubject("gguf", tuned_gguf, context=768),
    )

    text = evaluate(Evaluation(subjects, tickets, tmp_path, ASKING))

    whole = json.loads((tmp_path / "evaluation.json").read_text())
    by_name = {subject["subject"]: subject for subject in whole["subjects"]}
    loss = {name: figures["means"]["loss"]["value"] for name, figures in by_name.items()}
    assert loss["tuned"] < loss["base"]
    assert loss["gguf"] == pytest.approx(loss["tuned"], abs=1e-3)
    assert by_name["tuned"]["differences"]["loss"]["value"] == pytest.approx(
        loss["tuned"] - loss["base"]
    )
    assert by_name["tuned"]["perplexity"] == pytest.approx(np.exp(loss["tuned"]))
    saved = [
        SubjectAnswer.from_json(line) for line in (tmp_path / ANSWERS).read_text().splitlines()
    ]
    texts = {(answer.subject, answer.source): answer.reply.text for answer in saved}
    for ticket in tickets:
        assert texts["gguf", ticket.source] == texts["tuned", ticket.source]
    assert "| loss |" in text
    assert (tmp_path / "evaluation.md").read_text() == text
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "evaluation.svg").read_text().lstrip().startswith("<?xml")
    card = ModelCard.from_json(tuned_gguf.with_name("evaluated.model_card.json").read_bytes())
    assert card.metrics["kept"] == 1
    assert card.metrics["evaluation"]["tickets"] == len(tickets)
    assert card.metrics["evaluation"]["difference to base"]["loss"][0] < 0


def test_an_endpoint_is_asked_as_the_product_asks(
    tickets: tuple[Example, ...], tmp_path: Path
) -> None:
    with chat_server(lambda asked: Served(("Hello", " there"))) as server:
        subject = EndpointSubject("chat", server.base_url, "gpt-x", key="secret")
        text = evaluate(Evaluation((subject,), tickets, tmp_path, ASKING))
        asked = list(server.asked)

    assert len(asked) == len(tickets)
    expected = render(tickets[0].question, tickets[0].passages, budget=300).messages
    assert asked[0].body["messages"] == expected
    assert (asked[0].body["model"], asked[0].body["temperature"]) == ("gpt-x", 0)
    assert asked[0].headers["authorization"] == "Bearer secret"
    assert "| loss |" not in text
    assert "| chrF |" in text


def test_a_broken_evaluation_goes_on_where_it_was(
    tickets: tuple[Example, ...], tmp_path: Path
) -> None:
    with chat_server(lambda asked: Served(("one",))) as server:
        subject = EndpointSubject("chat", server.base_url, "m")
        answers([subject], tickets[:2], out=tmp_path, asking=ASKING)
        path = tmp_path / ANSWERS
        path.write_text(path.read_text() + '{"subject": "chat", "sou')
        server.asked.clear()

        answers([subject], tickets, out=tmp_path, asking=ASKING)
        assert len(server.asked) == len(tickets) - 2
        answers([subject], tickets, out=tmp_path, asking=ASKING)
        assert len(server.asked) == len(tickets) - 2
        answers([subject], tickets, out=tmp_path, asking=replace(ASKING, answer_tokens=9))

    assert len(server.asked) == 2 * len(tickets) - 2


def test_an_endpoint_that_is_away_is_told(tickets: tuple[Example, ...], tmp_path: Path) -> None:
    with chat_server(lambda asked: Served()) as server:
        address = server.base_url

    with pytest.raises(EngineUnreachable, match="answers so far are kept"):
        answers([EndpointSubject("chat", address, "m")], tickets, out=tmp_path, asking=ASKING)


def _example(question: str, answer: str, **more: str) -> Example:
    return Example(question=question, answer=answer, source="ticket:1", **more)  # type: ignore[arg-type]


def _answer(text: str, **more: float) -> SubjectAnswer:
    reply = TimedReply(text, tokens=10, seconds=2.0, **more)  # type: ignore[arg-type]
    return SubjectAnswer("s", "ticket:1", "m", reply, memory=3_000_000)


@pytest.mark.parametrize(
    ("name", "human", "text", "value"),
    [
        ("chrF", "Open the page.", "Open the page.", 100.0),
        ("chrF", "Open the page.", "12345", 0.0),
        ("ROUGE-L", "Відкрийте сторінку налаштувань", "Відкрийте сторінку", 80.0),
        ("length", "abcd", "ab", 0.5),
        ("language", "x", "Відкрийте, будь ласка, сторінку налаштувань.", 1.0),
        ("language", "x", "Please open the settings page first.", 0.0),
        ("language", "x", "", 0.0),
        ("placeholders kept", "Dear [NAME_1], see [EMAIL_1].", "Dear [NAME_1]!", 0.5),
        ("placeholders invented", "x", "Dear [NAME_1], your [ORDER_ID_3] and [PHONE_1].", 2.0),
        ("tokens/s", "x", "y", 5.0),
        ("MB", "x", "y", 3.0),
    ],
)
def test_measures_mean_what_they_say(name: str, human: str, text: str, value: float) -> None:
    question = "[NAME_1] тут, моя адреса [EMAIL_1]. Де знайти сторінку?"

    found = MEASURES[name](_example(question, human, language="uk"), _answer(text))

    assert found is not None
    assert found.value == pytest.approx(value, abs=0.1)


def test_what_cannot_be_measured_is_left_out() -> None:
    example = _example("Where?", "There.", language="en")

    assert MEASURES["loss"](example, _answer("x")) is None
    assert MEASURES["placeholders kept"](example, _answer("x")) is None
    assert MEASURES["loss"](example, _answer("x", loss=6.0, loss_tokens=3)) == Measured(2.0, 3)


def test_pairs_tell_more_than_means() -> None:
    """Tickets differ by 10, the models by 0.5 on each: only pairs can show it."""
    chance = np.random.default_rng(3)
    hard = chance.normal(0, 10, 40)
    one = [
        Measured(value + 0.5 + noise)
        for value, noise in zip(hard, chance.normal(0, 0.3, 40), strict=True)
    ]
    other = [Measured(value) for value in hard]

    first, second, difference = mean_of(one), mean_of(other), difference_of(one, other)

    assert first.low < second.high
    assert difference.low > 0
    assert difference.excludes_zero
    assert difference.value == pytest.approx(0.5, abs=0.15)


def test_intervals_are_those_of_scipy() -> None:
    """`scipy.stats.bootstrap` 1.17.0, BCa, 200,000 draws: 1.300 to 3.783; plain: 3.475."""
    values = [1.2, 0.4, 3.9, 2.2, 0.1, 7.5, 1.1, 0.9, 2.8, 4.4, 0.3, 1.7]

    found = mean_of([Measured(value) for value in values])

    assert found.low == pytest.approx(1.300, abs=0.05)
    assert found.high == pytest.approx(3.783, abs=0.08)


def test_means_weigh_tickets_by_their_tokens() -> None:
    assert mean_of([Measured(1.0, 1), Measured(4.0, 3)]).value == pytest.approx(3.25)


def test_an_interval_of_equal_tickets_is_a_point() -> None:
    found = mean_of([Measured(2.0)] * 5)

    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)


def test_differences_are_of_tickets_that_both_have() -> None:
    rows = [replace(_example("Where is it?", "There."), source=f"t{n}") for n in range(3)]
    some = [replace(_answer("a"), subject="a", source=row.source) for row in rows]
    lossy = TimedReply("b", 1, 1.0, loss=2.0, loss_tokens=1)
    some += [replace(_answer("b"), subject="b", source=row.source, reply=lossy) for row in rows]

    found = figures(rows, some)

    assert "loss" not in found[0].means
    assert "loss" in found[1].means
    assert "loss" not in found[1].differences


def test_the_command_compares(
    tuned_gguf: Path, examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"evaluate --examples {examples} --out {tmp_path} --split validation --limit 1"
    options = f" --gguf a={tuned_gguf} --gguf b={tuned_gguf} --prompt-tokens 300 --answer-tokens 3"

    code = main((command + options).split())

    assert code == 0
    assert "| loss | +0 [+0, +0] |" in capsys.readouterr().out


def test_wrong_wishes_are_refused(base: Path, tickets: tuple[Example, ...], tmp_path: Path) -> None:
    one = FolderSubject("base", base)

    with pytest.raises(BadInput, match="a name of its own"):
        Evaluation((one, one), tickets, tmp_path)
    with pytest.raises(BadInput, match="No ticket is in this split"):
        Evaluation((one,), (), tmp_path)
