"""`suggest-answer redact`: texts and rows from files or standard input."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.cli import cli
from backend.domain.errors import BadInput

LETTER = "Hi, my name is Olena Koval, olena.koval@example.org. Thunderbird 115.3.1 fails.\n"


def redact(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["redact", *arguments], input=text, catch_exceptions=False)


def test_a_text_from_standard_input_is_redacted_whole() -> None:
    done = redact(text=LETTER)

    assert done.output == "Hi, my name is [NAME_1], [EMAIL_1]. Thunderbird 115.3.1 fails.\n"


def test_each_row_of_a_jsonl_file_is_a_ticket_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    rows = [
        {"id": "t-1", "question": "I am at a@example.org", "answer": "Sent to a@example.org"},
        {"id": "t-2", "question": "I am at b@example.org", "answer": "Fine."},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    done = redact(str(file))

    assert [json.loads(line) for line in done.output.splitlines()] == [
        {"id": "t-1", "question": "I am at [EMAIL_1]", "answer": "Sent to [EMAIL_1]"},
        {"id": "t-2", "question": "I am at [EMAIL_1]", "answer": "Fine."},
    ]


def test_a_known_contact_is_found_in_another_script_and_case(tmp_path: Path) -> None:
    done = redact("--contact-name", "Ivan Petrenko", text="Рахунок для Івана Петренка.\n")

    assert done.output == "Рахунок для [NAME_1].\n"


def test_the_map_is_written_for_its_owner_only_and_only_when_asked_for(tmp_path: Path) -> None:
    kept = tmp_path / "map.jsonl"
    kept.write_text("old")
    kept.chmod(0o644)

    redact("--map", str(kept), text=LETTER)

    assert json.loads(kept.read_text()) == {
        "[NAME_1]": "Olena Koval",
        "[EMAIL_1]": "olena.koval@example.org",
    }
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_showing_marks_each_find_and_says_why() -> None:
    done = redact("--show", text=LETTER)

    assert "⟦NAME: Olena Koval⟧, ⟦EMAIL: olena.koval@example.org⟧" in done.output
    assert "'Olena Koval': after `name is`" in done.output
    assert "[NAME_1]" not in done.output


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    file.write_text('{"text": "fine"}\nnot json\n')

    done = CliRunner().invoke(cli, ["redact", str(file)])

    assert "line 2 is no JSON object" in str(done.exception)


def test_a_row_with_records_inside_is_refused_not_printed_raw(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    file.write_text(json.dumps({"id": "1", "record": {"email": "ana@example.org"}}) + "\n")

    with pytest.raises(BadInput, match=r"inside `record`.*import --zoho"):
        redact(str(file))
