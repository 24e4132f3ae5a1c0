"""Everything that can be set, as one value: environment over one TOML file over defaults.

Read once, at the edge, and passed on as a value or by its groups. A child process gets the same
value through its environment (`as_environment`).
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from backend.domain.errors import BadSettings
from backend.system.loopback import LOOPBACK

PREFIX = "SUGGEST_ANSWER_"
FILE_VARIABLE = PREFIX + "SETTINGS"
LOG_FILE = "suggest-answer.jsonl"
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_ORIGIN = re.compile(
    rf"(?:https://{_LABEL}(?:\.{_LABEL})*|http://(?:localhost|127\.0\.0\.1))(?::[1-9]\d{{0,4}})?"
)


class Group(BaseModel):
    """Settings that belong together; frozen, and nothing unknown in them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WebSettings(Group):
    """Where the HTTP server listens and who may call it."""

    host: str = Field("127.0.0.1", description="address to listen on; beyond loopback needs keys")
    port: int = Field(8600, ge=0, le=65535, description="TCP port; 0 takes a free one")
    hosts: tuple[str, ...] = Field((), description="further host names that callers may use")
    origins: tuple[str, ...] = Field((), description="pages elsewhere that may call, as https://…")
    threads: int = Field(64, ge=8, le=512, description="requests and event streams at once")
    agent_key: SecretStr = Field(SecretStr(""), description="key of agents' and raters' calls")
    admin_key: SecretStr = Field(SecretStr(""), description="key of admins' calls")

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin. Write it as a browser sends it, such as "
                    "https://widget.example.org, in small letters, without a path or a *"
                )
        return origins


class SuggestSettings(Group):
    """What one click asks for, and how long it may wait."""

    models: tuple[str, ...] = Field((), description="models that answer; empty: the active ones")
    count: int = Field(3, ge=1, le=6, description="how many of the active models answer a click")
    prompt_tokens: int = Field(700, ge=200, le=32_000, description="prompt budget in tokens")
    answer_tokens: int = Field(320, ge=16, le=8_000, description="longest answer in tokens")
    articles: int = Field(1, ge=0, le=8, description="article passages in a prompt at most")
    solved: int = Field(1, ge=0, le=8, description="solved tickets in a prompt at most")
    temperature: float = Field(0.2, ge=0, le=2, description="0 is deterministic")
    showing: Literal["paced", "together"] = Field(
        "paced", description="texts while who wrote them is hidden: at one pace, or all at the end"
    )
    queue_limit: int = Field(90, ge=1, description="candidates that may wait or run at once")
    attempts: int = Field(4, ge=1, le=20, description="tries for one candidate before it fails")
    lease_seconds: float = Field(15, ge=2, description="a worker silent this long loses its work")
    runner_wait_seconds: float = Field(
        180, ge=1, description="how long a candidate waits for a model that does not run"
    )
    endpoint_timeout_seconds: float = Field(
        120, ge=1, description="silence of a model's endpoint that ends a try"
    )
    outside_slots: int = Field(4, ge=1, le=64, description="requests at once to one endpoint")


class RunnerSettings(Group):
    """How each GGUF is run. 0 leaves the choice to the runner, from model and machine."""

    context: int = Field(
        0, ge=0, le=1_048_576, description="tokens of context for each request; 0: automatic"
    )
    slots: int = Field(4, ge=1, le=64, description="requests that one runner serves at once")
    threads: int = Field(0, ge=0, le=512, description="threads of one runner; 0: cores / runners")
    batch: int = Field(0, ge=0, le=4096, description="prompt tokens read in one step; 0: automatic")


class SearchSettings(Group):
    """When a passage is close enough, as similarity from 0 to 1."""

    solved_threshold: float = Field(0.18, ge=0, le=1, description="for solved tickets")
    article_threshold: float = Field(0.18, ge=0, le=1, description="for article passages")


class LogSettings(Group):
    """Structured logs, one JSON object a line."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level")
    to: Literal["file", "stderr"] = Field("file", description="state_dir/log, or standard error")


class PrivacySettings(Group):
    """What is hidden from models. What is exported or logged is always redacted."""

    redact: Literal["all", "outside"] = Field(
        "all", description="prompts redacted: all, or only those that leave this machine (outside)"
    )
    recogniser: str = Field(
        "", description="a further recogniser of personal data, as module:function"
    )


class ZohoSettings(Group):
    """What an export from Zoho may cost, and how long its raw records stay."""

    edition: Literal[
        "", "free", "express", "standard", "professional", "enterprise", "ultimate"
    ] = Field("", description="edition of your Zoho Desk or CRM, for the forecast")
    users: int = Field(1, ge=1, description="users of that edition; credits grow with them")
    credits: int = Field(
        0, ge=0, description="credits that exports may spend in 24 hours; 0: what Zoho leaves"
    )
    leave_credits: int = Field(
        500, ge=0, description="credits never touched, for your other integrations"
    )
    parallel: int = Field(4, ge=1, le=25, description="calls at once; Free allows 5, Standard 10")
    wait_seconds: int = Field(
        120, ge=0, description="longest wait that Zoho may ask for; beyond it an export stops"
    )
    keep_raw_days: int = Field(
        30, ge=0, description="raw records are deleted after so many days; 0: kept"
    )
    recheck_days: int = Field(
        7, ge=1, description="days between looks for Desk tickets that were deleted or archived"
    )


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

    @property
    def log_folder(self) -> Path:
        """Where all processes of a state directory write what happened."""
        return self.state_dir / "log"

    @property
    def log_file(self) -> Path | None:
        """The file of structured logs; None if they go to standard error."""
        return self.log_folder / LOG_FILE if self.log.to == "file" else None


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
            f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors()
        )
        raise BadSettings(
            f"Settings cannot be used: {found}. See `suggest-answer settings`."
        ) from error
    except SettingsError as error:
        raise BadSettings(
            f"Settings cannot be used: {error}. A list is written as JSON, such as "
            f"""{PREFIX}SUGGEST__MODELS='["one", "two"]'."""
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{settings_file()} is no TOML: {error}.") from error
    _refuse_open_door(settings.web)
    return settings.model_copy(update={"state_dir": settings.state_dir.absolute()})


def settings_file() -> Path:
    """The one TOML file: `SUGGEST_ANSWER_SETTINGS`, else `settings.toml` in the state directory."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    state_dir = os.environ.get(PREFIX + "STATE_DIR")
    return (Path(state_dir) if state_dir else default_state_dir()) / "settings.toml"


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
