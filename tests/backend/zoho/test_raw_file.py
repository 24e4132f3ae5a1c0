"""A raw file is whole after a kill at any byte, and keeps one line for each record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.domain.errors import BadInput
from backend.system.files import private_folder, write_private
from backend.zoho.sync import RawFile, raw_line

IDS = ["1", "22", "333", "4444"]
LINES = [raw_line(name, {"record": {"id": name, "text": f"Ї\n{name}}}"}}) for name in IDS]
HEAD = raw_line("7", {"record": {}})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "raw") / "desk" / "tickets.jsonl"


def written(file: Path, content: bytes) -> RawFile:
    raw = RawFile(file)
    raw.append(content)
    return raw


def test_after_a_kill_at_any_byte_the_rest_makes_the_same_bytes(file: Path) -> None:
    whole = HEAD + b"".join(LINES)
    for cut in range(len(HEAD), len(whole) + 1):
        file.unlink(missing_ok=True)
        raw = written(file, whole[:cut])

        done = raw.recover(len(HEAD), IDS)
        for line in LINES[done:]:
            raw.append(line)
        raw.close()

        assert file.read_bytes() == whole
        assert done == whole[len(HEAD) : cut].count(b"}\n")


@pytest.mark.parametrize(
    "tail", [b"\0" * 40, LINES[2], b'{"id":"22","record":\0\0}\n', b"garbage}\n"]
)
def test_what_a_power_cut_left_is_taken_away(file: Path, tail: bytes) -> None:
    raw = written(file, HEAD + LINES[0] + tail)

    assert raw.recover(len(HEAD), IDS) == 1
    assert file.read_bytes() == HEAD + LINES[0]


def test_a_later_line_replaces_an_earlier_one_and_a_deletion_takes_the_text(file: Path) -> None:
    newer = raw_line("1", {"record": {"text": "new"}})
    gone = raw_line("22", None)
    raw = written(file, b"".join([*LINES, newer, gone]))

    assert raw.compact({"333"})
    assert not raw.compact(set())

    assert file.read_bytes() == LINES[3] + newer + gone
    raw.append(LINES[0])
    assert file.read_bytes().endswith(newer + gone + LINES[0])
    assert json.loads(gone) == {"id": "22", "deleted": True}


def test_half_a_character_in_a_record_is_kept(file: Path) -> None:
    body = json.loads('{"record": {"subject": "broken \\ud83d emoji, їжак"}}')

    raw = written(file, raw_line("5", body))

    assert json.loads(file.read_bytes()) == {"id": "5", **body}
    assert raw.recover(0, ["5"]) == 1


def test_only_the_owner_can_read_it(file: Path) -> None:
    written(file, HEAD).close()
    write_private(file.parent / "note", b"x")

    assert [path.stat().st_mode & 0o777 for path in (file.parent.parent, file.parent)] == [
        0o700
    ] * 2
    assert [path.stat().st_mode & 0o777 for path in (file, file.parent / "note")] == [0o600] * 2


def test_a_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o755)

    with pytest.raises(BadInput, match="chmod 700"):
        private_folder(open_folder)
