"""The groups of settings: what can be set, its default, and what it means."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

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
