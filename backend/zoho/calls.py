"""GET calls to one of Zoho's APIs: the token, the budget, and each way in which a call can fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import requests

from backend.domain.errors import ZohoError, ZohoThrottled, ZohoUnreachable
from backend.loopback import LOOPBACK
from backend.zoho.answers import Answer, json_of, json_or_text, seconds, sent_at, whole_number
from backend.zoho.connection import Tokens
from backend.zoho.credits import RECORD, Budget
from backend.zoho.hosts import same_host
from backend.zoho.refusals import is_scope_refusal, refusal, spent
from backend.zoho.scopes import NAMES
from backend.zoho.sign_in import quiet_libraries

TIMEOUT = (10.0, 90.0)
NOTHING = (204, 304)
Params = Mapping[str, str | int]
NO_PARAMS: Params = MappingProxyType({})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Patience:
    """How often and how long to try again, in seconds."""

    tries: int = 3
    throttled_tries: int = 8
    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    longest_wait_seconds: float = 120.0


class _Sign(requests.auth.AuthBase):
    """Zoho's own header; given as `auth` so that no .netrc takes its place."""

    def __init__(self, token: str, headers: Mapping[str, str]) -> None:
        self._token = token
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Zoho-oauthtoken {self._token}"
        request.headers.update(self._headers)
        return request


@dataclass(frozen=True)
class _Asked:
    """One call: where, with what, what it should cost, and how its body is read."""

    url: str
    params: Params
    cost: int
    headers: Mapping[str, str]
    parse: Callable[[requests.Response], Any]


@dataclass
class _Tries:
    """What one call has been through."""

    failures: int = 0
    throttled: int = 0
    refused: str = ""
    waited: float = 0.0


@dataclass
class Api:
    """One product's API. May be used by many threads at once."""

    product: str
    base: str
    tokens: Tokens
    budget: Budget
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    stop: threading.Event = field(default_factory=threading.Event)
    _own: threading.local = field(default_factory=threading.local)
    _quiet_until: float = 0.0
    _ahead: float | None = None

    def zoho_now(self) -> float:
        """The time by Zoho's clock, which is the one that its records carry.

        Raises what `get` does: one cheap call is made if there was none yet.
        """
        if self._ahead is None:
            self.get("organizations" if self.product == "desk" else "org")
        return time.time() + (self._ahead or 0.0)

    def get(
        self,
        path: str,
        params: Params = NO_PARAMS,
        *,
        cost: int = RECORD,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        """What Zoho has at a path below the base, as JSON; None in it for 204 and 304.

        Raises ZohoNotFound, ZohoForbidden, ZohoSignInFailed, ZohoThrottled (CreditsSpent),
        ZohoUnreachable, or ZohoError for anything else that is not a success.
        """
        return self._call(_Asked(f"{self.base}/{path}", params, cost, headers, json_of))

    def get_content(self, url: str) -> Answer:
        """What Zoho has at a full address on the same host, as JSON or else as text.

        Raises what `get` does, and ZohoError for an address on another host.
        """
        if not same_host(url, self.base):
            raise ZohoError(
                f"{NAMES[self.product]} names an address on another host, which is not followed."
            )
        return self._call(_Asked(url, NO_PARAMS, RECORD, NO_HEADERS, json_or_text))

    def _call(self, asked: _Asked) -> Answer:
        quiet_libraries()
        tries = _Tries()
        while True:
            self._wait_until(self._quiet_until)
            self.budget.take(asked.cost)
            response = self._sent(asked, tries)
            if response is None:
                continue
            self._settle(asked.cost, response)
            self._ahead = sent_at(response) - time.time()
            answer = self._judged(response, asked, tries)
            if answer is not None:
                return answer

    def _sent(self, asked: _Asked, tries: _Tries) -> requests.Response | None:
        """The whole response; None if it did not come and another try is due."""
        token = self.tokens.renew(tries.refused) if tries.refused else self.tokens.access()
        try:
            return self._session().get(
                asked.url,
                params=dict(asked.params),
                auth=_Sign(token, {**self.headers, **asked.headers}),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            self._failed(tries, f"no whole answer came ({type(error).__name__})")
            return None

    def _judged(self, response: requests.Response, asked: _Asked, tries: _Tries) -> Answer | None:
        """The answer, or None if another try is due. Raises what the status means."""
        status = response.status_code
        if status in NOTHING:
            return Answer(None, sent_at(response))
        body = asked.parse(response)
        if status == 200 and body is not None:
            return Answer(body, sent_at(response))
        if status == 429:
            self._throttled(response, tries)
        elif status >= 500 or status == 200:
            self._failed(tries, f"status {status}" if status >= 500 else "a body that is no JSON")
        elif status == 401 and not tries.refused and not is_scope_refusal(body):
            sign = response.request.headers["Authorization"]
            tries.refused = str(sign).removeprefix("Zoho-oauthtoken ")
        else:
            scopes = self.tokens.connection.scopes
            raise refusal(self.product, status, body, urlsplit(asked.url).path, scopes)
        return None

    def _failed(self, tries: _Tries, reason: str) -> None:
        tries.failures += 1
        if tries.failures >= self.patience.tries:
            raise ZohoUnreachable(
                f"{NAMES[self.product]} at {self.base} fails {tries.failures} times in a row: "
                f"{reason}. Everything read so far is kept: run the export again later."
            )
        self._pause(self.patience.first_seconds * 2 ** (tries.failures - 1))

    def _throttled(self, response: requests.Response, tries: _Tries) -> None:
        wait = seconds(response.headers.get("Retry-After"))
        if wait:  # a wait of no seconds says nothing: then ours grow
            tries.waited += wait
            if tries.waited > self.patience.longest_wait_seconds:
                raise spent(self.product, wait)
            self._quiet_until = max(self._quiet_until, time.monotonic() + wait)
            return
        tries.throttled += 1
        if tries.throttled >= self.patience.throttled_tries:
            raise ZohoThrottled(
                f"{NAMES[self.product]} refuses calls at once {tries.throttled} times in a row. "
                "Make zoho.parallel smaller, or run the export when less else uses the API."
            )
        self._pause(self.patience.first_seconds * 2 ** (tries.throttled - 1))

    def _settle(self, cost: int, response: requests.Response) -> None:
        weight = whole_number(response.headers.get("X-Rate-Limit-Request-Weight-v3"))
        left = whole_number(response.headers.get("X-Rate-Limit-Remaining-v3"))
        self.budget.settle(cost, weight=weight, remaining=left)

    def _session(self) -> requests.Session:
        """One session a thread: they are not safe to share, and each keeps its connection."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = requests.Session()
            session.trust_env = urlsplit(self.base).hostname not in LOOPBACK
        return session

    def _pause(self, seconds: float) -> None:
        self._wait_until(time.monotonic() + min(seconds, self.patience.longest_seconds))

    def _wait_until(self, moment: float) -> None:
        left = moment - time.monotonic()
        if self.stop.is_set() or (left > 0 and self.stop.wait(left)):
            raise ZohoUnreachable("The export was stopped. Run it again and it goes on from here.")
