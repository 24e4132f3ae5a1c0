"""Packing the widget: both zips are whole, and each trap of the toolkit is noticed."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts.packing.main import main
from scripts.packing.stage import SERVICES, Wishes, checked, manifest, stage
from scripts.packing.zips import WrongZip, contents, problems

BACKEND = "https://suggest.example.org"
Files = dict[str, bytes]


@pytest.fixture
def staged(tmp_path: Path) -> Files:
    return stage("desk", Wishes(BACKEND), folder=tmp_path / "desk")


@pytest.fixture
def packed(staged: Files) -> Files:
    whole = json.dumps(manifest("desk", BACKEND)).encode()
    return {**staged, "plugin-manifest.json": whole, "resources.json": b"{}"}


def wrong(packed: Files, staged: Files) -> str:
    return " ".join(problems(packed, staged=staged, backend=BACKEND, service="desk"))


def test_what_is_staged_can_be_packed(packed: Files, staged: Files) -> None:
    assert wrong(packed, staged) == ""
    assert f'"backend": "{BACKEND}"' in packed["app/packed.js"].decode()
    assert not [name for name in packed if name.endswith((".mjs", ".map")) or "/." in name]


def test_the_version_stands_in_pyproject_toml_and_nowhere_else(
    tmp_path: Path, staged: Files
) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = json.loads((tmp_path / "desk" / "package.json").read_text(encoding="utf-8"))
    lock = json.loads(Path("extension/package-lock.json").read_text(encoding="utf-8"))

    assert package["version"] == project["version"]
    assert "version" not in json.loads(Path("extension/package.json").read_text(encoding="utf-8"))
    assert "version" not in lock
    assert "version" not in lock["packages"][""]


def test_only_its_own_adapter_names_a_product() -> None:
    for service in SERVICES:
        for folder in ("shared", *({*SERVICES} - {service})):
            for file in (Path("extension") / folder).rglob("*.js"):
                name = {"crm": "ZOHO.", "desk": "ZOHODESK"}[service]
                assert name not in file.read_text(encoding="utf-8"), file


def test_an_empty_zip_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "desk.zip").touch()

    with pytest.raises(WrongZip, match="npm wrote something"):
        contents(tmp_path / "desk.zip")


def test_a_missing_or_broken_zip_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(WrongZip, match="made no"):
        contents(tmp_path / "desk.zip")
    (tmp_path / "desk.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(WrongZip, match="no whole zip"):
        contents(tmp_path / "desk.zip")


def test_a_file_that_was_left_out_is_named_with_its_ending(packed: Files, staged: Files) -> None:
    staged["app/shared/panel.mjs"] = b""

    assert "app/shared/panel.mjs was left out" in wrong(packed, staged)
    assert "this one has .mjs" in wrong(packed, staged)


def test_a_file_that_changed_or_came_from_nowhere(packed: Files, staged: Files) -> None:
    packed["app/shared/panel.js"] = b"cut"
    packed["app/.env"] = b"KEY=secret"

    assert "app/shared/panel.js changed while packing" in wrong(packed, staged)
    assert "app/.env was not staged" in wrong(packed, staged)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("desk.ticket.detail.rightpanel", "desk.ticket.rightpanel", "none that Desk has"),
        (f'Domains": ["{BACKEND}', 'Domains": ["https://a.example', "whiteListedDomains lacks"),
        (f'src": ["{BACKEND}', 'src": ["https://a.example', "cspDomains lacks"),
        ('"locale": ["en"', '"locale": ["en", "fr"', "app/translations/fr.json is missing"),
        ("/app/desk/index.html", "/app/desk.html", "url '/app/desk.html' is not in the zip"),
        ("logo.png", "logo.webp", "logo '/app/desk/img/logo.webp' is not in the zip"),
        ('"storage"', '"${backend}"', "not filled in"),
    ],
)  # fmt: skip
def test_a_manifest_that_would_not_work(
    packed: Files, staged: Files, old: str, new: str, sentence: str
) -> None:
    before = packed["plugin-manifest.json"].decode()
    assert old in before
    packed["plugin-manifest.json"] = before.replace(old, new).encode()

    assert sentence in wrong(packed, staged)


@pytest.mark.parametrize(
    ("backend", "calls", "sentence"),
    [
        ("suggest.example.org", "proxy", "https address"),
        ("http://suggest.example.org", "proxy", "https address"),
        ("https://suggest.example.org/api/v1", "proxy", "without a path"),
        ("https://127.0.0.1:8443", "proxy", "cannot reach"),
    ],
)
def test_a_backend_that_zoho_would_not_take(backend: str, calls: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        checked(Wishes(backend, calls=calls))


def test_the_backend_is_written_as_a_browser_writes_it() -> None:
    wishes = checked(Wishes("https://Suggest.Example.org:8443/", link_hosts=("Help.example.org",)))

    assert wishes.backend == "https://suggest.example.org:8443"
    assert wishes.link_hosts == ("help.example.org",)


def test_the_toolkit_packs_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "--backend",
            BACKEND,
            "--out",
            str(tmp_path),
            "--auto-start",
            "--link-host",
            "help.example.org",
        ]
    )

    said = capsys.readouterr().out
    assert said.count("Validation Rules passed successfully.") == 2
    for service in SERVICES:
        with zipfile.ZipFile(tmp_path / f"suggest-answer-{service}.zip") as zipped:
            assert zipped.testzip() is None
            names = set(zipped.namelist())
        assert {f"app/{service}/index.html", "app/packed.js", "app/shared/panel.js"} <= names
        assert ("plugin-manifest.json" in names) == (service == "desk")
