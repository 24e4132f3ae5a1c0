"""What Zoho's refusals are told as."""

from __future__ import annotations

import pytest

from backend.domain.errors import ZohoForbidden, ZohoNotFound, ZohoRecordForbidden
from backend.zoho.client import code_of, refusal


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("LICENSE_ACCESS_LIMITED", "edition or licence"),
        ("NO_PERMISSION", "Give the profile the right"),
        ("FORBIDDEN", "administrator"),
        ("SOMETHING_NEW", "it says SOMETHING_NEW"),
        ("<script>", "it says no reason"),
    ],
)
def test_each_kind_of_403_says_what_to_do(code: str, says: str) -> None:
    error = refusal("desk", 403, {"errorCode": code}, "/api/v1/tickets", ())

    assert isinstance(error, ZohoForbidden)
    assert says in str(error)


@pytest.mark.parametrize(
    ("product", "code", "path", "one"),
    [
        ("desk", "FORBIDDEN", "/api/v1/tickets/22372000000212001", True),
        ("desk", "FORBIDDEN", "/api/v1/tickets/22372000000212001/conversations", True),
        ("desk", "FORBIDDEN", "/api/v1/articles/22372000000094160", True),
        ("desk", "FORBIDDEN", "/api/v1/tickets/search", False),
        ("desk", "FORBIDDEN", "/api/v1/articles", False),
        ("desk", "OAUTH_ORG_MISMATCH", "/api/v1/tickets/22372000000212001", False),
        ("desk", "LICENSE_ACCESS_LIMITED", "/api/v1/tickets/22372000000212001", False),
        ("desk", "SCOPE_MISMATCH", "/api/v1/tickets/22372000000212001", False),
        ("crm", "NO_PERMISSION", "/crm/v8/Cases/3652397000001234001", False),
    ],
)
def test_only_one_record_that_is_forbidden_can_be_left_out(
    product: str, code: str, path: str, one: bool
) -> None:
    error = refusal(product, 403, {"errorCode": code}, path, ())

    assert isinstance(error, ZohoForbidden)
    assert isinstance(error, ZohoRecordForbidden) == one


def test_a_refusals_details_name_fields_and_never_values() -> None:
    body = {
        "errorCode": "INVALID_DATA",
        "errors": [{"fieldName": "/limit", "errorMessage": "ana@customer.example"}],
    }

    said = str(refusal("desk", 422, body, "/api/v1/tickets", ()))

    assert "(/limit)" in said
    assert "ana@" not in said
    assert code_of("text") == code_of({"code": 5}) == ""


def test_a_redirect_is_not_followed() -> None:
    error = refusal("crm", 302, None, "/crm/v8/Cases", ())

    assert "tokens do not follow" in str(error)


def test_crm_says_of_a_lost_id_that_it_is_invalid() -> None:
    body = {"code": "INVALID_DATA", "details": {"api_name": "id"}}

    assert isinstance(refusal("crm", 400, body, "/crm/v8/Cases/3652397000001", ()), ZohoNotFound)
    assert not isinstance(refusal("crm", 400, body, "/crm/v8/Cases", ()), ZohoNotFound)
