"""Which scopes an export needs, and what to say when one is missing."""

from __future__ import annotations

from collections.abc import Iterable

DESK = (
    "Desk.tickets.READ",
    "Desk.articles.READ",
    "Desk.search.READ",
    "Desk.basic.READ",
)
CRM = (
    "ZohoCRM.modules.cases.READ",
    "ZohoCRM.modules.solutions.READ",
    "ZohoCRM.modules.notes.READ",
    "ZohoCRM.modules.contacts.READ",
    "ZohoCRM.modules.emails.READ",
    "ZohoCRM.org.READ",
)
PRODUCTS = {"desk": DESK, "crm": CRM}
NAMES = {"desk": "Zoho Desk", "crm": "Zoho CRM"}


def missing(granted: Iterable[str], product: str) -> list[str]:
    """The scopes that an export from this product still needs. `.ALL` covers `.READ`."""
    have = set(granted)
    return [
        scope
        for scope in PRODUCTS[product]
        if not {scope, f"{scope.removesuffix('READ')}ALL"} & have
    ]


def products(granted: Iterable[str]) -> list[str]:
    """The products of which every needed scope was granted."""
    have = list(granted)
    return [product for product in PRODUCTS if not missing(have, product)]


def advice(granted: Iterable[str], product: str) -> str:
    """What to do about a refusal for want of scopes."""
    lacking = missing(granted, product)
    if not lacking:
        return (
            f"All scopes of an export from {NAMES[product]} were granted, so the scope of this one "
            "call changed: see docs/zoho.md, and run `suggest-answer zoho connect` again."
        )
    return (
        f"The sign-in lacks {', '.join(lacking)}. Run `suggest-answer zoho connect` again and "
        f"grant: {','.join(PRODUCTS[product])}"
    )
