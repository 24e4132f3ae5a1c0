"""What Zoho's refusals mean and what to do about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from backend.domain.errors import (
    CreditsSpent,
    ZohoError,
    ZohoForbidden,
    ZohoNotFound,
    ZohoRecordForbidden,
    ZohoSignInFailed,
)
from backend.zoho.scopes import NAMES, advice

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
