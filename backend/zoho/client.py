"""One GET call to Desk or CRM: its token, its retries with backoff, and what the answer means.

Transient failures are tried again after waits that double (backoff); a rate limit (429) is waited
out as `Retry-After` says. Everything else that is no success becomes an error with a way out.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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
from backend.zoho.credits import Budget, cost_of
from backend.zoho.data_centres import same_host
from backend.zoho.oauth import PRODUCT_NAMES, quiet_libraries, scope_advice

TIMEOUT = (10.0, 90.0)
NOTHING = (204, 304)
Params = Mapping[str, str | int]
NO_PARAMS: Params = MappingProxyType({})
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try again; times in seconds."""

    tries: int = 3
    throttled_tries: int = 8
    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    longest_wait_seconds: float = 120.0


@dataclass(frozen=True)
class ApiResponse:
    """A body as JSON (None: nothing there) and Zoho's clock when it was sent."""

    body: Any
    sent_at: float


@dataclass(frozen=True)
class _Call:
    """One call: where, with what, what it should cost, and how its body is read."""

    url: str
    params: Params
    cost: int
    headers: Mapping[str, str]
    parse: Callable[[requests.Response], Any]


@dataclass
class _Attempts:
    """What one call has been through."""

    failures: int = 0
    throttled: int = 0
    refused_token: str = ""
    waited: float = 0.0


class _Authorization(requests.auth.AuthBase):
    """Zoho's own header; given as `auth` so that no .netrc takes its place."""

    def __init__(self, token: str, headers: Mapping[str, str]) -> None:
        self._token = token
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Zoho-oauthtoken {self._token}"
        request.headers.update(self._headers)
        return request


def open_api(product: str, *, tokens: Tokens, budget: Budget, retry_policy: RetryPolicy) -> Api:
    """The API of a product at the hosts of the sign-in."""
    connection, desk = tokens.connection, product == "desk"
    return Api(
        product=product,
        base=f"{connection.hosts.desk}/api/v1" if desk else f"{connection.hosts.crm}/crm/v8",
        tokens=tokens,
        budget=budget,
        headers={"orgId": connection.org_id} if desk and connection.org_id else {},
        retry_policy=retry_policy,
    )


@dataclass
class Api:
    """One product's API. May be used by many threads at once."""

    product: str
    base: str
    tokens: Tokens
    budget: Budget
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    stop: threading.Event = field(default_factory=threading.Event)
    _sessions: threading.local = field(default_factory=threading.local)
    _throttled_until: float = 0.0
    _clock_offset: float | None = None

    @property
    def name(self) -> str:
        """What the product is called."""
        return PRODUCT_NAMES[self.product]

    def zoho_now(self) -> float:
        """The time by Zoho's clock, which is the one that its records carry.

        Raises what `get` does: one cheap call is made if there was none yet.
        """
        if self._clock_offset is None:
            self.get("organizations" if self.product == "desk" else "org")
        return time.time() + (self._clock_offset or 0.0)

    def get(
        self,
        path: str,
        params: Params = NO_PARAMS,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> ApiResponse:
        """What Zoho has at a path below the base, as JSON; None in it for 204 and 304.

        Raises ZohoNotFound, ZohoForbidden, ZohoSignInFailed, ZohoThrottled (CreditsSpent),
        ZohoUnreachable, or ZohoError for anything else that is not a success.
        """
        return self._call(
            _Call(f"{self.base}/{path}", params, cost_of(self.product, params), headers, _json)
        )

    def serves(self, url: str) -> bool:
        """Whether an address is on the API's own host: a token is sent nowhere else."""
        return same_host(url, self.base)

    def get_content(self, url: str) -> ApiResponse:
        """What Zoho has at a full address on the same host, as JSON or else as text.

        Raises what `get` does, and ZohoError for an address on another host.
        """
        if not self.serves(url):
            raise ZohoError(f"{self.name} names an address on another host, which is not followed.")
        return self._call(
            _Call(url, NO_PARAMS, cost_of(self.product, NO_PARAMS), NO_HEADERS, _json_or_text)
        )

    def _call(self, call: _Call) -> ApiResponse:
        quiet_libraries()
        attempts = _Attempts()
        while True:
            self._wait_until(self._throttled_until)
            self.budget.take(call.cost)
            response = self._send(call, attempts)
            if response is None:
                continue
            self._settle(call.cost, response)
            self._clock_offset = _sent_at(response) - time.time()
            answer = self._interpret(response, call, attempts)
            if answer is not None:
                return answer

    def _send(self, call: _Call, attempts: _Attempts) -> requests.Response | None:
        """The whole response; None if it did not come and another try is due."""
        token = (
            self.tokens.renew(attempts.refused_token)
            if attempts.refused_token
            else self.tokens.access()
        )
        try:
            return self._session().get(
                call.url,
                params=dict(call.params),
                auth=_Authorization(token, {**self.headers, **call.headers}),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            self._retry_failure(attempts, f"no whole answer came ({type(error).__name__})")
            return None

    def _interpret(
        self, response: requests.Response, call: _Call, attempts: _Attempts
    ) -> ApiResponse | None:
        """The answer, or None if another try is due. Raises what the status means."""
        status = response.status_code
        if status in NOTHING:
            return ApiResponse(None, _sent_at(response))
        body = call.parse(response)
        if status == 200 and body is not None:
            return ApiResponse(body, _sent_at(response))
        if status == 429:
            self._retry_throttled(response, attempts)
        elif status >= 500 or status == 200:
            self._retry_failure(
                attempts, f"status {status}" if status >= 500 else "a body that is no JSON"
            )
        elif status == 401 and not attempts.refused_token and not is_scope_refusal(body):
            sign = response.request.headers["Authorization"]
            attempts.refused_token = str(sign).removeprefix("Zoho-oauthtoken ")
        else:
            scopes = self.tokens.connection.scopes
            raise refusal(self.product, status, body, urlsplit(call.url).path, scopes)
        return None

    def _retry_failure(self, attempts: _Attempts, reason: str) -> None:
        """Backs off before the next try, or gives up."""
        attempts.failures += 1
        if attempts.failures >= self.retry_policy.tries:
            raise ZohoUnreachable(
                f"{self.name} at {self.base} fails {attempts.failures} times in a row: "
                f"{reason}. Everything read so far is kept: run the export again later."
            )
        self._back_off(attempts.failures)

    def _retry_throttled(self, response: requests.Response, attempts: _Attempts) -> None:
        """Waits out the rate limit, all threads together where Zoho says for how long."""
        wait = _seconds(response.headers.get("Retry-After"))
        if wait:  # a wait of no seconds says nothing: then ours grow
            attempts.waited += wait
            if attempts.waited > self.retry_policy.longest_wait_seconds:
                raise credits_spent(self.product, wait)
            self._throttled_until = max(self._throttled_until, time.monotonic() + wait)
            return
        attempts.throttled += 1
        if attempts.throttled >= self.retry_policy.throttled_tries:
            raise ZohoThrottled(
                f"{self.name} refuses calls at once {attempts.throttled} times in a row. "
                "Make zoho.parallel smaller, or run the export when less else uses the API."
            )
        self._back_off(attempts.throttled)

    def _settle(self, cost: int, response: requests.Response) -> None:
        weight = _whole_number(response.headers.get("X-Rate-Limit-Request-Weight-v3"))
        left = _whole_number(response.headers.get("X-Rate-Limit-Remaining-v3"))
        self.budget.settle(cost, weight=weight, remaining=left)

    def _session(self) -> requests.Session:
        """One session a thread: they are not safe to share, and each keeps its connection."""
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
            session.trust_env = urlsplit(self.base).hostname not in LOOPBACK
        return session

    def _back_off(self, failures: int) -> None:
        """Exponential backoff: each wait is twice the one before, up to the longest."""
        seconds = self.retry_policy.first_seconds * 2 ** (failures - 1)
        self._wait_until(time.monotonic() + min(seconds, self.retry_policy.longest_seconds))

    def _wait_until(self, moment: float) -> None:
        left = moment - time.monotonic()
        if self.stop.is_set() or (left > 0 and self.stop.wait(left)):
            raise ZohoUnreachable("The export was stopped. Run it again and it goes on from here.")


_SCOPE_CODES = {"SCOPE_MISMATCH", "OAUTH_SCOPE_MISMATCH"}
_CRM_RECORD = re.compile(r"/crm/v8/\w+/\d{6,}$")  # CRM's way to say that an id is gone
_DESK_RECORD = re.compile(r"/api/v1/(?:tickets|articles)/\d+(?:/|$)")
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
    code, name = code_of(body), PRODUCT_NAMES[product]
    if code in _SCOPE_CODES:
        return ZohoForbidden(
            f"{name} wants another scope for {path}. {scope_advice(granted, product)}"
        )
    if status == 401:
        return ZohoSignInFailed(
            f"{name} refuses the token although it was renewed just now. The data centre may be "
            "another one: see `suggest-answer zoho status`, then connect again with --dc."
        )
    if status == 403:
        reason = _OTHER_403.get(code, f"it says {code or 'no reason'}. See docs/zoho.md.")
        is_record = product == "desk" and code == "FORBIDDEN" and _DESK_RECORD.search(path)
        kind = ZohoRecordForbidden if is_record else ZohoForbidden
        return kind(f"{name} does not give {path}: {reason}")
    if status == 404 or (code == "INVALID_DATA" and status == 400 and _CRM_RECORD.search(path)):
        return ZohoNotFound(f"{name} has no {path}.")
    if 300 <= status < 400:
        return ZohoError(f"{name} sends {path} elsewhere ({status}), and tokens do not follow.")
    return ZohoError(
        f"{name} refuses {path} with {status} {code}{_details(body)}. This is a fault of the "
        "export: please report it with this line."
    )


def credits_spent(product: str, seconds: float) -> CreditsSpent:
    """The error for a 429 that says how long to wait, too long to wait for."""
    hours = seconds / 3600
    when = f"in {hours:.1f} hours" if hours >= 1 else f"in {seconds / 60:.0f} minutes"
    return CreditsSpent(
        f"{PRODUCT_NAMES[product]} gives no more calls now: the credits are spent. Everything read "
        f"so far is kept. Run the export again {when} and it goes on from there.",
        retry_after_seconds=seconds,
    )


def _details(body: object) -> str:
    """The names of wrong parameters, never their values."""
    found: dict[str, Any] = body if isinstance(body, dict) else {}
    names = [
        str(error.get("fieldName"))
        for error in found.get("errors") or []
        if isinstance(error, dict) and re.fullmatch(r"[\w/.-]{1,60}", str(error.get("fieldName")))
    ]
    detail = (found.get("details") or {}) if isinstance(found.get("details"), dict) else {}
    name = str(detail.get("param_name") or detail.get("api_name") or "")
    if re.fullmatch(r"[\w.-]{1,60}", name):
        names.append(name)
    return f" ({', '.join(names)})" if names else ""


def rows_of(body: Any, name: str = "data", *, key: str = "id") -> list[dict[str, Any]]:
    """The rows of a list, each with its key; none for an answer without a body.

    Raises ZohoError for what is no such list, and for a row that has no key: it could be neither
    read nor told from the others.
    """
    if body is None:
        return []
    rows = body.get(name) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _strange(f"a list without {name!r}")
    if not all(row.get(key) for row in rows):
        raise _strange(f"a row of {name!r} without {key!r}")
    return rows


def record_of(body: Any) -> dict[str, Any] | None:
    """A record by itself; None for an answer without a body. Raises ZohoError otherwise."""
    if body is not None and not (isinstance(body, dict) and "id" in body):
        raise _strange("a record without an id")
    return body


def page_of(body: Any) -> dict[str, Any]:
    """CRM's pagination: whether there is another page, and how to ask for it."""
    found = body.get("info") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _strange(what: str) -> ZohoError:
    return ZohoError(
        f"Zoho answers with {what}, in a shape that this version does not know. Everything read "
        "so far is kept. Please report it; docs/zoho.md says what was never tried on a live portal."
    )


def moment_of(text: Any) -> datetime | None:
    """A time that a record tells, by UTC where it tells no zone; None for what is no time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _json(response: requests.Response) -> Any:
    """The body as JSON; None if it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def _json_or_text(response: requests.Response) -> Any:
    """The body as JSON, or the text of a success."""
    found = _json(response)
    return response.text if found is None and response.ok else found


def _sent_at(response: requests.Response) -> float:
    """Zoho's clock as a time stamp; this machine's where the header is missing."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; None when it is not a number of them."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


def _whole_number(header: str | None) -> int | None:
    """A header that is a whole number; None for any other."""
    return int(header) if header is not None and header.isdecimal() else None
