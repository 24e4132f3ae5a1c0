"""Settings as one value: environment over one TOML file over defaults.

Read once, at the edge (`backend.cli`), and passed on as a value. A child process gets the same
value through its environment (`as_environment`).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from backend.domain.errors import BadSettings
from backend.loopback import LOOPBACK
from backend.setting_groups import (
    LogSettings,
    PrivacySettings,
    RunnerSettings,
    SearchSettings,
    SuggestSettings,
    WebSettings,
    ZohoSettings,
)

PREFIX = "SUGGEST_ANSWER_"
FILE_VARIABLE = PREFIX + "SETTINGS"


def default_state_dir() -> Path:
    """`var/` of the checkout this code runs from, else a folder of the user's own."""
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / "var"
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "suggest-answer"


class Settings(BaseSettings):
    """Everything that can be set. Environment names are `SUGGEST_ANSWER_WEB__PORT` and the like."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    state_dir: Path = Field(default_factory=default_state_dir, description="all state lives here")
    demo: bool = Field(False, description="serve the demo help desk")
    rubric: str = Field("quality", description="rubric that raters see")
    web: WebSettings = WebSettings()
    suggest: SuggestSettings = SuggestSettings()
    runner: RunnerSettings = RunnerSettings()
    search: SearchSettings = SearchSettings()
    log: LogSettings = LogSettings()
    privacy: PrivacySettings = PrivacySettings()
    zoho: ZohoSettings = ZohoSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line over the environment over the file over the defaults."""
        toml = TomlConfigSettingsSource(settings_cls, settings_file())
        return init_settings, env_settings, toml

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state_dir / "suggest-answer.db"


def settings_file() -> Path:
    """The one TOML file: `SUGGEST_ANSWER_SETTINGS`, else `settings.toml` in the state directory."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    state_dir = os.environ.get(PREFIX + "STATE_DIR")
    return (Path(state_dir) if state_dir else default_state_dir()) / "settings.toml"


def read_settings(**overrides: Any) -> Settings:
    """The settings in force. Raises BadSettings, with each setting that is wrong and why."""
    named = os.environ.get(FILE_VARIABLE)
    if named and not Path(named).is_file():
        raise BadSettings(f"{FILE_VARIABLE} names {named}, which is no file.")
    _refuse_unknown_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise BadSettings(
            f"Settings cannot be used: {found}. See `suggest-answer settings`."
        ) from (error)
    except SettingsError as error:
        raise BadSettings(
            f"Settings cannot be used: {error}. A list is written as JSON, such as "
            f"""{PREFIX}SUGGEST__MODELS='["one", "two"]'."""
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{settings_file()} is no TOML: {error}.") from error
    _refuse_open_door(settings.web)
    return settings.model_copy(update={"state_dir": settings.state_dir.absolute()})


def _refuse_unknown_variables() -> None:
    """A misspelt variable would otherwise be passed over in silence."""
    known = {name for path, _, _ in leaves(Settings.model_construct()) for name in variables(path)}
    short = {name.rpartition("__")[2]: name for name in sorted(known) if "__" in name}
    for name in sorted(os.environ):
        rest = name.upper().removeprefix(PREFIX)
        if name.upper() in known or rest == name.upper() or not ("__" in rest or rest in short):
            continue
        meant = short.get(rest.rpartition("__")[2])
        hint = f"Did you mean {meant}?" if meant else "See `suggest-answer settings`."
        raise BadSettings(f"There is no setting {name}. {hint}")


def _refuse_open_door(web: WebSettings) -> None:
    keys = web.agent_key.get_secret_value(), web.admin_key.get_secret_value()
    if keys[0] and not keys[1]:
        raise BadSettings(
            "web.agent_key is set and web.admin_key is not, so every agent would be an admin. "
            "Set both."
        )
    if web.host not in LOOPBACK and not all(keys):
        raise BadSettings(
            f"web.host is {web.host}, which others can reach. Set web.agent_key and web.admin_key "
            "first (any long random text), or listen on 127.0.0.1."
        )


def variables(path: tuple[str, ...]) -> list[str]:
    """The variables that can hold a setting: its own, or its whole group's as JSON."""
    return [PREFIX + "__".join(path[:end]).upper() for end in range(len(path), 0, -1)]


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a child process."""
    environment = {}
    for path, value, _ in leaves(settings):
        text = value.get_secret_value() if isinstance(value, SecretStr) else shown(value)
        environment[PREFIX + "__".join(path).upper()] = text
    return environment


def leaves(
    model: BaseModel, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    """Each setting: the names that lead to it, its value, and what it is."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value, field.description or ""


def shown(value: Any) -> str:
    """A value as a person, or a child process, reads it. Keys are not shown."""
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)
