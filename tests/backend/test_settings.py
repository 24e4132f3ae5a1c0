"""Settings: environment over one file over defaults, and nothing unknown, open or shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.cli.settings import SettingLine, explain
from backend.domain.errors import BadSettings
from backend.settings import FILE_VARIABLE, PREFIX, as_environment, read_settings, settings_file

KEY = "correct-horse-battery"


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv(PREFIX + "STATE_DIR", str(tmp_path))
    return tmp_path


def write(state_dir: Path, text: str) -> Path:
    file = state_dir / "settings.toml"
    file.write_text(text, encoding="utf-8")
    return file


def lines(**overrides: Any) -> dict[str, SettingLine]:
    found = explain(read_settings(**overrides), overrides=overrides)
    return {line.name: line for line in found}


def test_defaults_need_no_file_and_listen_to_this_machine_only() -> None:
    settings = read_settings()

    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8600)
    assert settings.suggest.count == 3
    assert settings.database.name == "suggest-answer.db"


def test_environment_over_file_over_default_and_the_command_line_over_all(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(state_dir, "[web]\nport = 1\nthreads = 9\n[suggest]\ncount = 2\n")
    monkeypatch.setenv(PREFIX + "WEB__PORT", "2")
    monkeypatch.setenv(PREFIX + "SUGGEST__MODELS", '["a", "b"]')

    found = lines(suggest={"attempts": 7})

    assert {
        name: (found[name].value, found[name].source)
        for name in ("web.port", "web.threads", "suggest.models", "suggest.attempts", "web.host")
    } == {
        "web.port": ("2", f"environment {PREFIX}WEB__PORT"),
        "web.threads": ("9", str(file)),
        "suggest.models": ('["a", "b"]', f"environment {PREFIX}SUGGEST__MODELS"),
        "suggest.attempts": ("7", "command line"),
        "web.host": ("127.0.0.1", "default"),
    }
    assert read_settings(suggest={"attempts": 7}).suggest.count == 2


def test_a_group_set_as_a_whole_is_named_as_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "WEB", '{"port": 5}')

    assert read_settings().web.port == 5
    assert lines()["web.port"].source == f"environment {PREFIX}WEB"


def test_names_in_the_environment_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX.lower() + "web__port", "77")

    assert read_settings().web.port == 77
    assert lines()["web.port"].source.startswith("environment ")


def test_another_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "other.toml"
    file.write_text('rubric = "relevance"\n', encoding="utf-8")
    monkeypatch.setenv(FILE_VARIABLE, str(file))

    assert settings_file() == file
    assert read_settings().rubric == "relevance"


def test_every_setting_says_what_it_is() -> None:
    found = lines()

    assert len(found) > 25
    assert all(line.description for line in found.values())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[web]\nprot = 1\n", "web.prot"),
        ("[wbe]\nport = 1\n", "wbe"),
        ("port = 1\n", "port"),
        ("[web]\nport = 70000\n", "web.port"),
        ('[web]\nport = "many"\n', "web.port"),
        ("[suggest]\ncount = 0\n", "suggest.count"),
        ("[suggest]\nmodels = 'one'\n", "suggest.models"),
        ('[log]\nlevel = "loud"\n', "log.level"),
        ("web = 5\n", "web"),
        ("[web\n", "is no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_says_where(
    state_dir: Path, text: str, says: str
) -> None:
    write(state_dir, text)

    with pytest.raises(BadSettings) as error:
        read_settings()

    assert says in str(error.value)


def test_a_file_in_another_encoding_is_refused(state_dir: Path) -> None:
    (state_dir / "settings.toml").write_bytes("rubric = 'qualité'".encode("latin-1"))

    with pytest.raises(BadSettings, match="is no TOML"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("WEB__PROT", "1", f"no setting {PREFIX}WEB__PROT"),
        ("WEB__PORT", "x", "web.port"),
        ("PORT", "1", PREFIX + "PORT"),
        ("WBE__PORT", "1", f"{PREFIX}WBE__PORT. Did you mean {PREFIX}WEB__PORT?"),
        ("SUGGEST__MODELS", "one", "written as JSON"),
        ("WEB", "5", "web"),
    ],
)
def test_an_environment_that_is_wrong_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(BadSettings) as error:
        read_settings()

    assert says in str(error.value)


def test_a_named_file_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_VARIABLE, "/none/settings.toml")

    with pytest.raises(BadSettings, match="which is no file"):
        read_settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "desk.example", ""])
@pytest.mark.parametrize("keys", [{}, {"admin_key": KEY}])
def test_beyond_this_machine_both_keys_are_needed(host: str, keys: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="which others can reach"):
        read_settings(web={"host": host, **keys})


def test_an_agent_key_without_an_admin_key_is_refused() -> None:
    with pytest.raises(BadSettings, match="every agent would be an admin"):
        read_settings(web={"agent_key": KEY})


def test_with_keys_others_may_reach_it_and_without_this_machine_may() -> None:
    open_door = {"host": "0.0.0.0", "agent_key": KEY, "admin_key": KEY + "2"}

    assert read_settings(web=open_door).web.host == "0.0.0.0"
    for host in ("127.0.0.1", "localhost", "::1"):
        assert read_settings(web={"host": host}).web.host == host


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "WEB__ADMIN_KEY", KEY)

    settings, shown = read_settings(), lines()

    assert (shown["web.agent_key"].value, shown["web.admin_key"].value) == ("", "(set)")
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()} {shown}"
    monkeypatch.setenv(PREFIX + "WEB__ADMIN_KEYS", KEY)
    with pytest.raises(BadSettings) as error:
        read_settings()
    assert KEY not in str(error.value)


ODD: tuple[dict[str, Any], ...] = (
    {"state_dir": '/tmp/a "b" \\c $d ї'},
    {"suggest": {"models": ("one", 'two "quoted"', "back\\slash", "кома,", "")}},
    {"suggest": {"temperature": 1e-07, "lease_seconds": 2.5}},
    {"web": {"agent_key": 'k"e\\y {1}', "admin_key": "[1, 2]", "hosts": ("a.example",)}},
    {"demo": True, "log": {"level": "debug", "to": "stderr"}},
    {},
)


@pytest.mark.parametrize("overrides", ODD, ids=lambda overrides: ",".join(overrides))
def test_a_child_process_reads_the_same_settings(
    overrides: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(**overrides)

    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    assert read_settings() == settings


def test_a_relative_state_directory_is_the_same_for_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PREFIX + "STATE_DIR", "here")

    assert read_settings().state_dir == tmp_path / "here"


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = read_settings()

    for part, name in ((settings, "demo"), (settings.web, "port")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(part, name, 1)


def test_the_command_prints_values_and_where_they_come_from(tmp_path: Path) -> None:
    environment = {**os.environ, PREFIX + "WEB__ADMIN_KEY": KEY}
    command = [sys.executable, "-m", "backend", "--state-dir", str(tmp_path), "settings"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if "│" in line}
    assert "8600" in rows["web.port"]
    assert "default" in rows["web.port"]
    assert "command line" in rows["state_dir"]
    assert KEY not in done.stdout
