"""Zoho's data centres: which hosts belong together, and which a token may be sent to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from backend.domain.errors import BadInput, ZohoSignInFailed
from backend.system.loopback import LOOPBACK


@dataclass(frozen=True)
class Hosts:
    """Base addresses of one data centre, without a slash at the end."""

    accounts: str
    crm: str
    desk: str


@dataclass(frozen=True)
class DataCentre:
    """A data centre by name, and its hosts."""

    name: str
    hosts: Hosts


def _hosts(accounts: str, crm: str, desk: str) -> Hosts:
    return Hosts(f"https://{accounts}", f"https://{crm}", f"https://{desk}")


DATA_CENTRES = {
    "us": _hosts("accounts.zoho.com", "www.zohoapis.com", "desk.zoho.com"),
    "eu": _hosts("accounts.zoho.eu", "www.zohoapis.eu", "desk.zoho.eu"),
    "in": _hosts("accounts.zoho.in", "www.zohoapis.in", "desk.zoho.in"),
    "au": _hosts("accounts.zoho.com.au", "www.zohoapis.com.au", "desk.zoho.com.au"),
    "jp": _hosts("accounts.zoho.jp", "www.zohoapis.jp", "desk.zoho.jp"),
    "cn": _hosts("accounts.zoho.com.cn", "www.zohoapis.com.cn", "desk.zoho.com.cn"),
    "ca": _hosts("accounts.zohocloud.ca", "www.zohoapis.ca", "desk.zohocloud.ca"),
    "sa": _hosts("accounts.zoho.sa", "www.zohoapis.sa", "desk.zoho.sa"),
    "uk": _hosts("accounts.zoho.uk", "www.zohoapis.uk", "desk.zoho.uk"),
}
"""Hosts by the data centre's name. Source: Zoho CRM API v8, "Multi DC"; uk and sa are less sure."""

_CRM_VARIANTS = ("www.", "sandbox.", "developer.")


def chosen_hosts(data_centre: str, *, accounts: str = "", crm: str = "", desk: str = "") -> Hosts:
    """The hosts of a data centre, some of them replaced. Raises BadInput."""
    if data_centre not in DATA_CENTRES:
        raise BadInput(
            f"There is no data centre {data_centre!r}. Known: {', '.join(DATA_CENTRES)}. It is the "
            "ending of your Zoho address: zoho.eu is eu, zoho.com is us."
        )
    named = {"accounts": accounts, "crm": crm, "desk": desk}
    return replace(
        DATA_CENTRES[data_centre], **{name: _address(url) for name, url in named.items() if url}
    )


def _address(url: str) -> str:
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not safe or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise BadInput(
            f"{url!r} is no address of a Zoho host. Write https:// and the host, without a path; "
            "http:// only for this machine."
        )
    return f"{parts.scheme}://{parts.netloc}"


def signed_in_at(accounts_server: str, chosen: Hosts) -> tuple[str, Hosts]:
    """The data centre ("" for the chosen one) and hosts that a callback's `accounts-server` names.

    Raises ZohoSignInFailed for a server that is not Zoho's: the code must not be sent there.
    """
    server = accounts_server.rstrip("/")
    if server in ("", chosen.accounts):
        return "", chosen
    for name, hosts in DATA_CENTRES.items():
        if hosts.accounts == server:
            return name, hosts
    raise ZohoSignInFailed(
        f"The browser came back with the accounts server {server[:80]!r}, which is none of Zoho's. "
        "Nothing was sent there. Start again, and follow only the address that is printed."
    )


def checked_crm(api_domain: str, chosen: Hosts) -> str:
    """The CRM base that Zoho names with the token, if it belongs to the data centre.

    Raises ZohoSignInFailed for any other: tokens must not be sent there.
    """
    base = api_domain.rstrip("/")
    if base in ("", chosen.crm):
        return chosen.crm
    plain = chosen.crm.removeprefix("https://www.")
    if base in {f"https://{variant}{plain}" for variant in _CRM_VARIANTS}:
        return base
    raise ZohoSignInFailed(
        f"Zoho names {base[:80]!r} as the address of its APIs, which does not belong to "
        f"{chosen.accounts}. Choose the data centre of your organisation with --dc, or name the "
        "host with --crm-url if you trust it."
    )


def same_host(url: str, base: str) -> bool:
    """Whether an address is on the host, port and scheme of a base address."""
    asked, own = urlsplit(url), urlsplit(base)
    return (asked.scheme, asked.netloc) == (own.scheme, own.netloc)
