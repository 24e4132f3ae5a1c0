"""Cutting articles and solved tickets into passages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import BadInput
from backend.domain.passage import Article, SolvedTicket, article_passages, solved_passage


def article(body: str, summary: str = "") -> Article:
    return Article(id="a", title="Sending limits", body=body, summary=summary, url="https://x/a")


def test_a_short_article_is_one_passage_under_its_title() -> None:
    passages = article_passages(article("## Limits\nTen a day.\n\n## More\nAsk us."))

    assert [(passage.key, passage.title, passage.url) for passage in passages] == [
        ("article:a#1", "Sending limits", "https://x/a")
    ]
    assert passages[0].text == "Limits\nTen a day.\n\nMore\nAsk us."


@pytest.mark.parametrize("heading", ["## Second", "2.1 Second", "2. Second"])
def test_a_long_article_is_cut_before_a_heading(heading: str) -> None:
    body = f"Opening. {'word ' * 60}\n\n{heading}\n\n{'other ' * 60}"

    first, second = article_passages(article(body), characters=500)

    assert first.text.startswith("Opening.")
    assert second.text.startswith(heading.removeprefix("## "))


def test_a_list_keeps_its_lines_when_it_is_cut() -> None:
    steps = "\n".join(f"{number}. Click the button number {number}." for number in range(1, 30))

    passages = article_passages(article(steps), characters=200)

    assert len(passages) > 2
    assert "\n".join(passage.text for passage in passages) == steps


def test_the_summary_opens_the_first_passage_unless_the_body_does_so_already() -> None:
    with_summary = article_passages(article("Ten a day.", summary="How much you can send."))
    repeated = article_passages(article("How much you can send.", summary="How much you can send."))

    assert with_summary[0].text == "How much you can send.\n\nTen a day."
    assert repeated[0].text == "How much you can send."


@given(st.text(min_size=1).filter(str.strip), st.integers(min_value=1, max_value=300))
def test_cutting_loses_no_letter_and_makes_no_passage_too_long(body: str, size: int) -> None:
    passages = article_passages(article(body), characters=size)

    assert max(len(passage.text) for passage in passages) <= size
    assert "".join("".join(one.text.split()) for one in passages) == "".join(body.split())
    assert len({passage.key for passage in passages}) == len(passages)


def test_a_solved_ticket_gives_its_answer_under_its_subject() -> None:
    ticket = SolvedTicket(
        id="7", subject="Login", question="I cannot log in.", answer=" Reset it. "
    )

    passage = solved_passage(ticket)

    assert (passage.key, passage.title, passage.text) == ("solved:7", "Login", "Reset it.")
    assert ticket.asked == "Login\n\nI cannot log in."


def test_a_solved_ticket_refers_to_what_it_cites_and_what_it_links() -> None:
    answer = "See [this](https://help.example/kb/limits#daily), and https://help.example/kb/spf."

    ticket = SolvedTicket(id="7", question="How?", answer=answer, cited=("limits",))

    assert ticket.references == (
        "limits",
        "https://help.example/kb/limits",
        "https://help.example/kb/spf",
    )


@pytest.mark.parametrize(("name", "value"), [("id", ""), ("title", " "), ("body", "\n")])
def test_an_article_without_its_parts_is_refused(name: str, value: str) -> None:
    parts = {"id": "a", "title": "Title", "body": "Body", name: value}

    with pytest.raises(BadInput, match=name):
        Article(**parts)


@pytest.mark.parametrize("name", ["id", "answer", "question"])
def test_a_solved_ticket_without_its_parts_is_refused(name: str) -> None:
    parts = {"id": "7", "question": "How?", "answer": "So.", name: " "}

    with pytest.raises(BadInput, match=name):
        SolvedTicket(id=parts["id"], question=parts["question"], answer=parts["answer"])


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("## Reset it\n1. Open **Settings > Security**.", "Reset it\n1. Open Settings > Security."),
        (
            "See [the page](https://help.example/a) now.",
            "See the page (https://help.example/a) now.",
        ),
        (
            "![A screen](/a.png) Set `max_size` to 5 * 3 ** 2.",
            "A screen Set max_size to 5 * 3 ** 2.",
        ),
        ("snake_case and __init__ stay", "snake_case and __init__ stay"),
        ("# 1 of 2 ** open", "1 of 2 ** open"),
    ],
)
def test_a_passage_has_no_marks_of_markdown(marked: str, read: str) -> None:
    (passage,) = article_passages(Article(id="a", title="T", body=marked))

    assert passage.text == read


@pytest.mark.parametrize(
    ("characters", "texts"),
    [
        (20, ["First one. Second 1."]),  # as much as fits exactly
        (19, ["First one.", "Second 1."]),
        (9, ["First one", ".", "Second 1."]),
    ],
)
def test_a_long_line_is_cut_between_sentences(characters: int, texts: list[str]) -> None:
    passages = article_passages(article("First one. Second 1."), characters=characters)

    assert [passage.text for passage in passages] == texts


def test_an_empty_paragraph_ends_nothing() -> None:
    passages = article_passages(article("One.\r\n\r\n \r\n\r\nTwo.\r\n# Three\r\nFour."))

    assert [passage.text for passage in passages] == ["One.\n\nTwo.\n\nThree\nFour."]


def test_what_lacks_a_text_is_told_in_good_english() -> None:
    with pytest.raises(BadInput, match="An article needs a title"):
        Article(id="a", title=" ", body="Ten a day.")
    with pytest.raises(BadInput, match="A solved ticket needs an answer"):
        SolvedTicket(id="t", question="Why?", answer="")


@pytest.mark.parametrize(
    "written",
    ["https://x/a", "https://x/a/", "https://x/a?b=1#c?d", "https://x/a.", "https://x/a;"],
)
def test_an_article_is_referred_to_by_its_bare_address(written: str) -> None:
    ticket = SolvedTicket(id="t", question="Why?", answer=f"See {written}")

    assert ticket.references == ("https://x/a",)
