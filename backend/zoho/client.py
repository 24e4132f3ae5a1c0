"""GET calls to one of Zoho's APIs: the token, the budget, and each way in which a call can fail.

What Zoho's refusals mean and what to do about them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import requests

from backend.domain.errors import (
    CreditsSpent,
    ZohoError,
    ZohoForbidden,
    ZohoNotFound,
    ZohoRecordForbidden,
    ZohoSignInFailed,
    ZohoThrottled,
    ZohoUnreachable,
)
from backend.system.loopback import LOOPBACK
from backend.zoho.connection import Tokens
from backend.zoho.credits import RECORD, Budget
from backend.zoho.data_centres import same_host
from backend.zoho.oauth import NAMES, advice, quiet_libraries
from backend.zoho.responses import Answer, json_of, json_or_text, seconds, sent_at, whole_number

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


_SCOPE_CODES = {"SCOPE_MISMATCH", "OAUTH_SCOPE_MISMATCH"}
_ONE_RECORD = re.compile(r"/crm/v8/\w+/\d{6,}$")  # CRM's way to say that an id is gone
_ONE_OF_DESK = re.compile(r"/api/v1/(?:tickets|articles)/\d+(?:/|$)")
_OTHER_403 = {
    "OAUTH_ORG_MISMATCH": (
        "the sign-in belongs to another organisation than the one asked for. Run `suggest-answer "
        "zoho connect` again, as a user of that organisation or with --org ID."
    ),
    "LICENSE_ACCESS_LIMITED": (
        "the edition or licence does not include this. See which edition the organisation has; "
        "the light agents of some editions cannot use the API."
    ),
    "NO_PERMISSION": (
        "the user who signed in may not read this module. Give the profile the right to see it, or "
        "connect as a user who has it."
    ),
    "FORBIDDEN": (
        "the user who signed in may not read this. Connect as an administrator, or leave the "
        "department out with --department."
    ),
}


def code_of(body: object) -> str:
    """The name of the error in Desk's or CRM's body; "" if there is none."""
    found = body if isinstance(body, dict) else {}
    code = found.get("errorCode") or found.get("code") or ""
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z_]{2,60}", code) else ""


def is_scope_refusal(body: object) -> bool:
    """Whether a scope is missing: a new token would not help."""
    return code_of(body) in _SCOPE_CODES


def refusal(
    product: str, status: int, body: object, path: str, granted: Iterable[str]
) -> ZohoError:
    """The error for an answer that is not a success; 429 and 5xx are dealt with elsewhere."""
    code, name = code_of(body), NAMES[product]
    if code in _SCOPE_CODES:
        return ZohoForbidden(f"{name} wants another scope for {path}. {advice(granted, product)}")
    if status == 401:
        return ZohoSignInFailed(
            f"{name} refuses the token although it was renewed just now. The data centre may be "
            "another one: see `suggest-answer zoho status`, then connect again with --dc."
        )
    if status == 403:
        reason = _OTHER_403.get(code, f"it says {code or 'no reason'}. See docs/zoho.md.")
        one = product == "desk" and code == "FORBIDDEN" and _ONE_OF_DESK.search(path)
        kind = ZohoRecordForbidden if one else ZohoForbidden
        return kind(f"{name} does not give {path}: {reason}")
    if status == 404 or (code == "INVALID_DATA" and status == 400 and _ONE_RECORD.search(path)):
        return ZohoNotFound(f"{name} has no {path}.")
    if 300 <= status < 400:
        return ZohoError(f"{name} sends {path} elsewhere ({status}), and tokens do not follow.")
    return ZohoError(
        f"{name} refuses {path} with {status} {code}{_details(body)}. This is a fault of the "
        "export: please report it with this line."
    )


def spent(product: str, seconds: float) -> CreditsSpent:
    """The error for a 429 that says how long to wait, too long to wait for."""
    hours = seconds / 3600
    when = f"in {hours:.1f} hours" if hours >= 1 else f"in {seconds / 60:.0f} minutes"
    return CreditsSpent(
        f"{NAMES[product]} gives no more calls now: the credits are spent. Everything read so far "
        f"is kept. Run the export again {when} and it goes on from there.",
        retry_after_seconds=seconds,
    )


def _details(body: object) -> str:
    """The names of wrong parameters, never their values."""
    found: dict[str, Any] = body if isinstance(body, dict) else {}
    names = [
        str(one.get("fieldName"))
        for one in found.get("errors") or []
        if isinstance(one, dict) and re.fullmatch(r"[\w/.-]{1,60}", str(one.get("fieldName")))
    ]
    detail = (found.get("details") or {}) if isinstance(found.get("details"), dict) else {}
    name = str(detail.get("param_name") or detail.get("api_name") or "")
    if re.fullmatch(r"[\w.-]{1,60}", name):
        names.append(name)
    return f" ({', '.join(names)})" if names else ""
