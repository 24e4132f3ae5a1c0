"""Models from the hub: fetched at a commit, taken up again, checked against their card."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain.errors import (
    BadInput,
    DiskFull,
    Forbidden,
    HashMismatch,
    Unavailable,
    UnusableModel,
    WrongPromptFormat,
)
from backend.domain.model_card import ModelCard
from backend.services.fetch_model import fetch, hub_file
from backend.system.files import sha256_of
from backend.system.hub import Hub, HubFile
from tests.hub_server import TOKEN, Repository, hub_server
from tests.hub_server import Hub as LocalHub
from tests.tiny_gguf import write_tiny_gguf

REPOSITORY = "team/answers"
FILE = "tuned.Q4_K_M.gguf"
CARD = "tuned.Q4_K_M.model_card.json"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalHub]:
    with hub_server() as hub:
        yield hub


@pytest.fixture
def hub(server: LocalHub) -> LocalHub:
    server.repositories.clear()
    server.repositories[REPOSITORY] = Repository()
    server.asked.clear()
    server.break_after.clear()
    server.announced = 0
    server.pause_after = (0, 0.0)
    return server


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("pushed") / FILE)


def card_of(gguf: Path, **more: str) -> bytes:
    facts = {"name": "tuned", "sha256": sha256_of(gguf), **more}
    return ModelCard(**facts).to_json().encode()  # type: ignore[arg-type]


def put(hub: LocalHub, gguf: Path, *, card: bytes, name: str = CARD) -> HubFile:
    files = {FILE: gguf.read_bytes(), name: card}
    return HubFile(REPOSITORY, FILE, hub.repositories[REPOSITORY].commit(files))


def got(reference: HubFile, hub: LocalHub, folder: Path, *, token: str = TOKEN) -> Path:
    return fetch(reference, folder, hub=Hub(token, hub.addresses[0]))


@pytest.mark.parametrize("name", [CARD, "model_card.json"])
def test_a_model_comes_with_its_card(hub: LocalHub, gguf: Path, tmp_path: Path, name: str) -> None:
    reference = put(hub, gguf, card=card_of(gguf), name=name)
    seen: list[tuple[int, int]] = []

    path = fetch(
        reference,
        tmp_path,
        hub=Hub(TOKEN, hub.addresses[0]),
        progress=lambda done, total: seen.append((done, total)),
    )

    size = gguf.stat().st_size
    assert path.read_bytes() == gguf.read_bytes()
    assert path.with_name(CARD).read_bytes() == card_of(gguf)
    assert reference.commit in str(path)
    assert seen[-1] == (size, size)


def test_a_newer_commit_changes_nothing(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))
    hub.repositories[REPOSITORY].commit({FILE: b"another" * 1000, CARD: b"{}"})

    assert got(reference, hub, tmp_path).read_bytes() == gguf.read_bytes()


def test_a_broken_download_goes_on_where_it_was(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))
    hub.break_after += [30_000, 10_000, 20_000]

    path = got(reference, hub, tmp_path)

    assert path.read_bytes() == gguf.read_bytes()
    ranges = [headers.get("Range") for headers in hub.bodies()]
    assert ranges == [None, "bytes=30000-", "bytes=40000-", "bytes=60000-"]


def test_a_later_call_goes_on_too(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))
    hub.break_after += [50_000, 0, 0, 0, 0, 0]

    with pytest.raises(Unavailable, match="broke at 50000 bytes"):
        got(reference, hub, tmp_path)
    hub.asked.clear()
    hub.break_after.clear()
    path = got(reference, hub, tmp_path)

    assert path.read_bytes() == gguf.read_bytes()
    assert [headers.get("Range") for headers in hub.bodies()] == ["bytes=50000-"]


FETCHING = """
import sys
from pathlib import Path
from backend.services.fetch_model import fetch
from backend.system.hub import Hub, HubFile
file, folder, hub = HubFile(*sys.argv[1:4]), Path(sys.argv[4]), Hub(*sys.argv[5:7])
fetch(file, folder, hub=hub, progress=lambda done, of: print(of and "fetching" or "waiting"))
"""


def test_two_processes_fetch_a_file_once_and_whole(
    hub: LocalHub, gguf: Path, tmp_path: Path
) -> None:
    file = put(hub, gguf, card=card_of(gguf))
    hub.pause_after = (20_000, 2.0)
    command = [sys.executable, "-c", FETCHING, file.repository, file.path, file.commit]
    command += [str(tmp_path), TOKEN, hub.addresses[0]]

    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], told
    assert len(hub.bodies()) == 1
    (path,) = tmp_path.rglob("*.gguf")
    assert path.read_bytes() == gguf.read_bytes()
    assert sum("waiting" in said for said, _ in told) == 1
    assert [
        left.name for left in path.parent.iterdir() if left.suffix in (".partial", ".lock")
    ] == []


def test_a_file_that_finds_no_room_is_not_begun(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))
    hub.announced = 10**15

    with pytest.raises(DiskFull, match=r"'fetch' writes 1000000\.00 GB"):
        got(reference, hub, tmp_path)

    assert len(hub.bodies()) == 1
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.*")) == 0


def test_what_is_there_is_not_fetched_again(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))
    got(reference, hub, tmp_path)
    hub.asked.clear()

    got(reference, hub, tmp_path)

    assert hub.bodies() == []


def test_another_file_than_the_card_names_is_refused_and_deleted(
    hub: LocalHub, gguf: Path, tmp_path: Path
) -> None:
    reference = put(hub, gguf, card=card_of(gguf, sha256="0" * 64))

    with pytest.raises(HashMismatch, match="tampered with"):
        got(reference, hub, tmp_path)

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_token_goes_to_the_hub_and_to_nobody_else(
    hub: LocalHub, gguf: Path, tmp_path: Path
) -> None:
    reference = put(hub, gguf, card=card_of(gguf))

    got(reference, hub, tmp_path)

    sent = {path.split("/")[1]: headers.get("Authorization") for _, path, headers in hub.asked}
    assert sent == {"team": f"Bearer {TOKEN}", "cdn": None}


@pytest.mark.parametrize(
    ("card", "error", "says"),
    [
        (b'{"name": "tuned", "sha256": ""}', UnusableModel, "names no sha256"),
        (b"x" * 2_000_000, UnusableModel, "larger than a card"),
        (b"no json", UnusableModel, "cannot be read"),
        (None, UnusableModel, "no file .* with a model card"),
        ("other/1", WrongPromptFormat, "other/1"),
    ],
)
def test_a_card_that_proves_nothing_is_refused_before_the_model_is_fetched(
    hub: LocalHub, gguf: Path, tmp_path: Path, card: bytes | str | None, error: type, says: str
) -> None:
    if isinstance(card, str):
        card = card_of(gguf, prompt_format=card)
    reference = put(hub, gguf, card=card or b"", name=CARD if card is not None else "other.json")

    with pytest.raises(error, match=says):
        got(reference, hub, tmp_path)

    assert list(tmp_path.rglob("*.gguf")) == []


def test_a_wrong_token_is_told(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))

    with pytest.raises(Forbidden, match="HF_TOKEN") as raised:
        got(reference, hub, tmp_path, token="hf_wrong")

    assert "hf_wrong" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hf://team/answers/tuned.gguf", "names no commit"),
        ("hf://team/answers/tuned.gguf@main", "names no commit"),
        ("hf://team/answers/tuned.gguf@v1.0", "names no commit"),
        ("hf://team/answers/tuned.gguf@" + "A" * 40, "names no commit"),
        ("hf://team/answers/tuned.gguf@" + "a" * 39, "names no commit"),
        ("hf://team/tuned.gguf@" + "a" * 40, "is no file on the hub"),
        ("hf://team/answers/../../x.gguf@" + "a" * 40, "is no file on the hub"),
        ("hf://team/answers/tuned.bin@" + "a" * 40, "is no file on the hub"),
    ],
)
def test_what_could_move_or_lead_elsewhere_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        hub_file(text)


def test_a_file_in_a_folder_is_understood() -> None:
    reference = hub_file("hf://team/answers/gguf/tuned.gguf@" + "0a" * 20)

    assert reference == HubFile("team/answers", "gguf/tuned.gguf", "0a" * 20)


def test_the_command_adds_it(hub: LocalHub, gguf: Path, tmp_path: Path) -> None:
    reference = put(hub, gguf, card=card_of(gguf))
    name = f"hf://{REPOSITORY}/{FILE}@{reference.commit}"

    done = subprocess.run(
        [sys.executable, "-m", "backend", "--state-dir", str(tmp_path), "models", "add", name],
        env={**os.environ, "HF_TOKEN": TOKEN, "HF_ENDPOINT": hub.addresses[0]},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Added tuned (sha256 {sha256_of(gguf)[:12]}…).")
    assert TOKEN not in done.stdout + done.stderr
