"""Any OpenAI-compatible endpoint: our runner, ChatGPT, vLLM, Ray Serve, llama-server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import openai

from backend.domain.errors import (
    EngineBusy,
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnauthorized,
    EngineUnreachable,
    ProductError,
    PromptTooLong,
)
from backend.engines import End, Piece, Request, Text
from backend.system.loopback import LOOPBACK

if TYPE_CHECKING:
    from openai.types import CompletionUsage

CONNECT_SECONDS = 5.0
_MESSAGE_CHARACTERS = 300


class ChatEngine:
    """One model behind one base URL."""

    def __init__(self, *, name: str, base_url: str, key: str, timeout_seconds: float) -> None:
        self._name = name
        self._where = base_url
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",
            max_retries=0,  # the queue tries again; a retry here would hide it
            timeout=openai.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            http_client=_straight() if _is_here(base_url) else None,
        )
        self._limit_field = "max_tokens"

    async def write(self, request: Request) -> AsyncGenerator[Piece]:
        """The reply as the endpoint streams it. Raises EngineError or PromptTooLong."""
        with self._errors():
            stream = await self._open(request)
            finish, usage = "", None
            async with stream:
                async for chunk in stream:
                    usage = chunk.usage or usage
                    for choice in chunk.choices or ():
                        if choice.delta and choice.delta.content:
                            yield Text(_whole(choice.delta.content))
                        finish = choice.finish_reason or finish
            if not finish:
                raise EngineUnreachable(f"{self._where} broke off in the middle of the reply.")
            if finish == "content_filter":
                raise EngineRefused(f"{self._where} withheld the reply: its filter stopped it.")
            yield _end(finish, usage)

    async def _open(self, request: Request) -> Any:
        try:
            return await self._create(request)
        except openai.BadRequestError as error:
            # Newer OpenAI models refuse `max_tokens`; older servers know nothing else.
            if "max_completion_tokens" not in str(error) or self._limit_field != "max_tokens":
                raise
            self._limit_field = "max_completion_tokens"
            return await self._create(request)

    async def _create(self, request: Request) -> Any:
        limits: dict[str, Any] = {self._limit_field: request.answer_tokens}
        return await self._client.chat.completions.create(  # type: ignore[call-overload]
            model=self._name,
            messages=request.prompt.messages,
            temperature=request.temperature,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"X-Priority": "background"} if request.background else None,
            **limits,
        )

    async def aclose(self) -> None:
        """Ends the connections that are kept open to the endpoint."""
        await self._client.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ProductError:
            raise
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise EngineTimeout(f"{self._where} did not answer in time.") from error
        except openai.APIStatusError as error:
            raise _status_error(error, self._where) from error
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            raise EngineUnreachable(f"{self._where} cannot be reached.") from error
        except openai.APIError as error:
            raise EngineError(f"{self._where}: {_short(error.message)}") from error
        except (ValueError, TypeError, AttributeError) as error:  # no JSON, or another shape
            raise EngineError(
                f"{self._where} sent something that is no chat completion. Check its base URL."
            ) from error


def _is_here(base_url: str) -> bool:
    return urlsplit(base_url).hostname in LOOPBACK


def _straight() -> httpx2.AsyncClient:
    """A client that takes no proxy from the environment: for this machine there is none."""
    return openai.DefaultAsyncHttpx2Client(trust_env=False)


def _whole(text: str) -> str:
    """The text without halves of characters, which JSON can hold and SQLite cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _end(reason: str, usage: CompletionUsage | None) -> End:
    finish = "length" if reason == "length" else "stop"
    if usage is None:
        return End(finish)
    details = usage.prompt_tokens_details
    return End(
        finish,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=details.cached_tokens if details else None,
        completion_tokens=usage.completion_tokens,
    )


def _status_error(error: openai.APIStatusError, where: str) -> ProductError:
    body: Mapping[str, Any] = error.body if isinstance(error.body, Mapping) else {}
    said = _short(str(body.get("message") or error.message))
    if error.status_code in (401, 403):
        return EngineUnauthorized(f"{where} does not accept the key. Check the key's variable.")
    if body.get("code") == "insufficient_quota":
        return EngineRefused(f"{where} has no credit left for this key: {said}")
    if error.status_code in (429, 503):
        return EngineBusy(
            f"{where} has no room now: {said}",
            retry_after_seconds=_seconds(error.response.headers.get("Retry-After")),
        )
    if error.status_code >= 500:
        return EngineUnreachable(f"{where} failed ({error.status_code}): {said}")
    if _is_too_long(body):
        return PromptTooLong(
            f"{where}: {said}",
            prompt_tokens=_count(body.get("n_prompt_tokens")),
            context_tokens=_count(body.get("n_ctx")),
        )
    return EngineRefused(f"{where} refused the request ({error.status_code}): {said}")


def _is_too_long(body: Mapping[str, Any]) -> bool:
    """By OpenAI's code, by llama-server's type; vLLM has neither and only says so."""
    return (
        body.get("code") == "context_length_exceeded"
        or body.get("type") == "exceed_context_size_error"
        or "maximum context length" in str(body.get("message"))
    )


def _seconds(header: str | None) -> float:
    """The seconds of a Retry-After header, a minute at most; 0 for none, or a date."""
    return min(float(header), 60.0) if header and header.isascii() and header.isdigit() else 0.0


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _MESSAGE_CHARACTERS else plain[:_MESSAGE_CHARACTERS] + "…"
