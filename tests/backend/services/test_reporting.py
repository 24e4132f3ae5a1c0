"""The study's tables, to the last printed digit, out of ratings in a real database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from rich.console import Console
from sqlite_utils import Database

from backend.domain.errors import Unknown
from backend.domain.rating import Rating
from backend.domain.rubric import QUALITY, RELEVANCE, Rubric
from backend.services.report import Mean, Share, Table, as_csv, as_json, as_terminal, report
from backend.store.ratings import add_rating
from tests.backend.candidates import add_candidates, add_many, add_models

QUERIES = 124
RELEVANCE_COUNTS = {
    "GPT-J-6B tuned": (18, 21, 31, 28, 26),
    "LLaMA-2-7B tuned": (9, 11, 20, 41, 43),
    "LLaMA-2-7B": (28, 31, 29, 23, 13),
}
SUMS = {
    "GPT-J-6B": {"content": 368, "grammar": 370, "structure": 388, "style": 350},
    "LLaMA-2-7B": {"content": 429, "grammar": 421, "structure": 450, "style": 449},
    "ChatGPT-3.5": {"content": 394, "grammar": 427, "structure": 384, "style": 349},
}


def scores_with_sum(total: int, number: int) -> list[int]:
    """This many scores from 1 to 5 that add up to the total."""
    low, more = divmod(total, number)
    return [low + 1] * more + [low] * (number - more)


def rate(model: str, rubric: Rubric, scores: Sequence[Mapping[str, int]], *, db: Database) -> None:
    add_models([model], db=db)
    for candidate, given in zip(add_many(model, len(scores), db=db), scores, strict=True):
        add_rating(candidate, Rating(rater="olena", rubric=rubric, scores=given), db=db)


def read(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(table))))


@pytest.fixture
def relevance(db: Database) -> Database:
    for model, counts in RELEVANCE_COUNTS.items():
        given = [
            {"relevance": score} for score, number in enumerate(counts, 1) for _ in range(number)
        ]
        rate(model, RELEVANCE, given, db=db)
    return db


@pytest.fixture
def quality(db: Database) -> Database:
    for model, sums in SUMS.items():
        rows: list[dict[str, int]] = [{} for _ in range(QUERIES)]
        for criterion, total in sums.items():
            number = 123 if (model, criterion) == ("LLaMA-2-7B", "content") else QUERIES
            for row, score in zip(rows, scores_with_sum(total, number), strict=False):
                row[criterion] = score
        rate(model, QUALITY, rows, db=db)
    return db


def test_counts_of_relevance_are_the_study_s(relevance: Database) -> None:
    table = report("counts", RELEVANCE, db=relevance, models=list(RELEVANCE_COUNTS))

    assert table.columns == ("model", "1", "2", "3", "4", "5", "n")
    assert table.rows == tuple(
        (model, *counts, QUERIES) for model, counts in RELEVANCE_COUNTS.items()
    )


def test_shares_of_relevance_are_the_study_s(relevance: Database) -> None:
    rows = read(report("shares", RELEVANCE, db=relevance))

    assert [tuple(row.values()) for row in rows] == [
        ("GPT-J-6B tuned", "31.5", "68.5", "124"),
        ("LLaMA-2-7B", "47.6", "52.4", "124"),
        ("LLaMA-2-7B tuned", "16.1", "83.9", "124"),
    ]


def test_weighted_means_are_the_study_s(quality: Database) -> None:
    table = report("means", QUALITY, db=quality, models=list(SUMS))

    shown = [
        [row[name] for name in ("model", "content", "grammar", "structure", "style", "total")]
        for row in read(table)
    ]
    assert shown == [
        [
            "GPT-J-6B",
            "1.335483871",
            "0.5967741935",
            "0.6258064516",
            "0.4233870968",
            "2.981451613",
        ],
        [
            "LLaMA-2-7B",
            "1.569512195",
            "0.6790322581",
            "0.7258064516",
            "0.5431451613",
            "3.517496066",
        ],
        [
            "ChatGPT-3.5",
            "1.42983871",
            "0.6887096774",
            "0.6193548387",
            "0.4221774194",
            "3.160080645",
        ],
    ]


def test_a_missing_score_shows_in_n(quality: Database) -> None:
    rows = {row["model"]: row for row in read(report("means", QUALITY, db=quality))}

    assert [rows[model]["n content"] for model in SUMS] == ["124", "123", "124"]
    assert {row["n style"] for row in rows.values()} == {"124"}
    assert {row["ratings"] for row in rows.values()} == {"124"}


def test_a_rubric_of_several_criteria_has_a_row_for_each(quality: Database) -> None:
    counts = report("counts", QUALITY, db=quality, models=["LLaMA-2-7B"])
    shares = report("shares", QUALITY, db=quality, models=["LLaMA-2-7B"])

    assert counts.columns[:2] == shares.columns[:2] == ("model", "criterion")
    assert [row[:2] for row in counts.rows[:4]] == [
        ("LLaMA-2-7B", key) for key in ("content", "grammar", "structure", "style")
    ]
    assert counts.rows[0] == ("LLaMA-2-7B", "content", 0, 0, 63, 60, 0, 123)
    assert len(counts.rows) == len(shares.rows) == 12


def test_only_the_last_rating_of_a_rater_counts(db: Database) -> None:
    add_models(["one"], db=db)
    candidate = add_candidates(["one"], db=db)["one"]
    for rater, score in (("olena", 1), ("olena", 5), ("taras", 4)):
        add_rating(
            candidate, Rating(rater=rater, rubric=RELEVANCE, scores={"relevance": score}), db=db
        )

    assert report("counts", RELEVANCE, db=db).rows == (("one", 0, 0, 0, 1, 1, 2),)
    assert report("counts", QUALITY, db=db).rows == ()


def test_critical_flags_are_a_share_of_all_ratings(db: Database) -> None:
    add_models(["one"], db=db)
    for number, candidate in enumerate(add_many("one", 3, db=db)):
        critical = number == 0
        add_rating(
            candidate,
            Rating(rater="olena", rubric=QUALITY, scores={"style": 3}, critical=critical),
            db=db,
        )

    (row,) = read(report("means", QUALITY, db=db))

    assert (row["critical %"], row["ratings"]) == ("33.3", "3")
    assert (row["style"], row["n style"]) == ("0.45", "3")
    assert (row["content"], row["n content"], row["total"]) == ("", "0", "")


def test_a_model_that_was_only_flagged_has_empty_cells(db: Database) -> None:
    add_models(["one"], db=db)
    candidate = add_candidates(["one"], db=db)["one"]
    add_rating(candidate, Rating(rater="olena", rubric=RELEVANCE, critical=True), db=db)

    assert read(report("shares", RELEVANCE, db=db)) == [
        {"model": "one", "negative %": "", "positive %": "", "n": "0"}
    ]
    assert json.loads(as_json(report("means", RELEVANCE, db=db)))["rows"][0]["total"] is None


def test_all_three_forms_show_the_same_digits(quality: Database) -> None:
    table = report("means", QUALITY, db=quality)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(as_terminal(table))
    printed = console.export_text()

    value = json.loads(as_json(table))

    assert value["columns"] == list(table.columns)
    for row, shown in zip(value["rows"], read(table), strict=True):
        for name, cell in row.items():
            assert str(cell) == shown[name] or f"{cell:.10g}" == shown[name]
            assert shown[name] in printed


def test_no_ratings_make_empty_tables(db: Database) -> None:
    for name in ("counts", "shares", "means"):
        assert report(name, QUALITY, db=db).rows == ()


def test_an_unknown_report_is_refused(db: Database) -> None:
    with pytest.raises(Unknown, match="counts, shares, means"):
        report("medians", QUALITY, db=db)


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (Fraction(0), "0.0"),
        (Fraction(1), "100.0"),
        (Fraction(1, 3), "33.3"),
        (Fraction(2, 3), "66.7"),
        (Fraction(1, 2000), "0.1"),  # 0.05 %: halves go up
        (Fraction(45, 1000), "4.5"),
        (None, ""),
    ],
)
def test_shares_are_percents_with_one_decimal(part: Fraction | None, shown: str) -> None:
    assert str(Share(part)) == shown


def test_means_have_ten_significant_digits_and_no_idle_zeros() -> None:
    assert str(Mean(Fraction(2, 3))) == "0.6666666667"
    assert str(Mean(Fraction(3))) == "3"


def test_hostile_names_stay_text_in_every_form() -> None:
    name = '[red]=cmd|"x",\nnew'
    table = Table(title="[bold]T", columns=("model",), rows=((name,),))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(as_terminal(table))

    assert read(table) == [{"model": name}]
    assert "[red]" in console.export_text()


def test_titles_and_notes_say_how_to_read_the_tables(quality: Database) -> None:
    counts, shares, means = (
        report(name, QUALITY, db=quality) for name in ("counts", "shares", "means")
    )

    assert counts.title == "Ratings from 1 to 5: Four criteria"
    assert "A later rating by the same rater replaces the earlier one." in counts.note
    assert shares.title == "Negative and positive ratings: Four criteria"
    assert shares.note == "Negative: 1 to 2. Positive: 3 to 5."
    assert means.title == "Weighted means: Four criteria"
    assert "content 9/20, grammar 4/20, structure 4/20, style 3/20. Without" in means.note


def test_what_is_printed_has_its_title_and_note_and_numbers_to_the_right() -> None:
    table = Table(title="Ratings", columns=("model", "n"), rows=(("a", 7), ("bcd", 12)), note="N.")

    printed = as_terminal(table)

    assert [column.justify for column in printed.columns] == ["left", "right"]
    assert [str(column.header) for column in printed.columns] == ["model", "n"]
    assert (str(printed.title), str(printed.caption)) == ("Ratings", "N.")
    assert as_terminal(Table("Ratings", ("n",), ())).caption is None


def test_json_keeps_letters_as_they_are_and_can_be_read_by_people() -> None:
    table = Table(title="Оцінки", columns=("model",), rows=(("ä",),), note="n: №")

    written = as_json(table)

    assert written == (
        '{\n  "title": "Оцінки",\n  "columns": [\n    "model"\n  ],\n  "rows": [\n    {\n'
        '      "model": "ä"\n    }\n  ],\n  "note": "n: №"\n}\n'
    )


def test_csv_ends_its_lines_as_unix_does() -> None:
    assert as_csv(Table("T", ("model",), (("a",),))) == "model\na\n"
