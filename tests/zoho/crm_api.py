"""CRM's REST API, version 8, as the local Zoho speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from tests.zoho.crm_records import CaseRecord
from tests.zoho.guarding import guarded, maybe_shift, portal, refusal

Json = dict[str, Any]
crm = Blueprint("crm", __name__, url_prefix="/crm/v8")
CASES, SOLUTIONS, NOTES, EMAILS, ORG = (
    f"ZohoCRM.{name}.READ"
    for name in ("modules.cases", "modules.solutions", "modules.notes", "modules.emails", "org")
)
FIRST_BY_PAGE = 2000


def _missing(parameter: str) -> Response:
    answer = refusal("crm", 400, "REQUIRED_PARAM_MISSING", "One of the parameters is missing")
    answer.set_data(answer.get_data(as_text=True).replace("{}", f'{{"param_name":"{parameter}"}}'))
    return answer


def _page(found: Sequence[Json], *, tokens: bool) -> ResponseReturnValue:
    """A page by number, or beyond record 2,000 by token; 204 when there is none."""
    per_page = int(request.args.get("per_page", 200))
    token, number = request.args.get("page_token"), int(request.args.get("page", 1))
    if per_page > 200 or (token and "page" in request.args):
        return refusal("crm", 400, "INVALID_DATA")
    start = int(token.removeprefix("c8582-")) if token else (number - 1) * per_page
    if tokens and not token and start >= FIRST_BY_PAGE:
        return refusal("crm", 400, "PAGINATION_LIMIT_EXCEEDED", "Use page_token.")
    rows = found[start : start + per_page]
    if not rows:
        return Response(status=304 if "If-Modified-Since" in request.headers else 204)
    more = start + per_page < len(found)
    page_info: Json = {
        "per_page": per_page,
        "count": len(rows),
        "page": number,
        "more_records": more,
    }
    if tokens:
        page_info["next_page_token"] = f"c8582-{start + per_page}" if more else None
    return jsonify({"data": rows, "info": page_info})


def _since(rows: Sequence[Json], name: str) -> list[Json]:
    header = request.headers.get("If-Modified-Since")
    if not header:
        return list(rows)
    since = datetime.fromisoformat(header)
    return [row for row in rows if datetime.fromisoformat(row[name]) >= since]


def _listed(records: Mapping[str, Json]) -> ResponseReturnValue:
    if "fields" not in request.args:
        return _missing("fields")
    names = {"id", *request.args["fields"].split(",")}
    if len(names) > 51:
        return refusal("crm", 400, "LIMIT_EXCEEDED")
    backwards = request.args.get("sort_order", "desc") == "desc"
    ordered = sorted(records.values(), key=lambda row: int(row["id"]), reverse=backwards)
    rows = [
        {name: value for name, value in row.items() if name in names}
        for row in _since(ordered, "Modified_Time")
    ]
    return _page(rows, tokens=True)


def _one(record: Json | None) -> ResponseReturnValue:
    if record is None:
        return Response(status=204)
    return jsonify({"data": [record]})


@crm.get("/org")
@guarded("crm", ORG)
def organisation() -> ResponseReturnValue:
    return jsonify({"org": [{"id": "3652397000000020005", "company_name": "Acme"}]})


@crm.get("/Cases")
@guarded("crm", CASES)
def cases() -> ResponseReturnValue:
    maybe_shift("Cases")
    return _listed({name: case.record for name, case in portal().cases.items()})


@crm.get("/Solutions")
@guarded("crm", SOLUTIONS)
def solutions() -> ResponseReturnValue:
    maybe_shift("Solutions")
    return _listed(portal().solutions)


@crm.get("/Cases/deleted")
@guarded("crm", CASES)
def deleted_cases() -> ResponseReturnValue:
    return _page(_since(portal().deleted["Cases"], "deleted_time"), tokens=False)


@crm.get("/Solutions/deleted")
@guarded("crm", SOLUTIONS)
def deleted_solutions() -> ResponseReturnValue:
    return _page(_since(portal().deleted["Solutions"], "deleted_time"), tokens=False)


@crm.get("/Cases/<case_id>")
@guarded("crm", CASES)
def case(case_id: str) -> ResponseReturnValue:
    if portal().take_fault(request.path, "delete"):
        portal().delete("Cases", case_id)
    found = portal().cases.get(case_id)
    return _one(found.record if found else None)


@crm.get("/Solutions/<solution_id>")
@guarded("crm", SOLUTIONS)
def solution(solution_id: str) -> ResponseReturnValue:
    return _one(portal().solutions.get(solution_id))


@crm.get("/Cases/<case_id>/Notes")
@guarded("crm", NOTES)
def notes(case_id: str) -> ResponseReturnValue:
    if "fields" not in request.args:
        return _missing("fields")
    found = portal().cases.get(case_id)
    return _page(found.notes if found else [], tokens=False)


def _of_contact(contact_id: str) -> list[CaseRecord]:
    return [case for case in portal().cases.values() if case.contact == contact_id]


@crm.get("/Contacts/<contact_id>/Emails")
@guarded("crm", EMAILS)
def emails(contact_id: str) -> ResponseReturnValue:
    mails = [mail for case in _of_contact(contact_id) for mail in case.mails]
    mails.sort(key=lambda mail: (mail["time"], mail["message_id"]), reverse=True)
    start = int(request.args.get("index", 0))
    rows = [
        {name: value for name, value in mail.items() if name not in ("content", "mail_format")}
        for mail in mails[start : start + 10]
    ]
    if not rows:
        return Response(status=204)
    more = start + 10 < len(mails)
    page_info: Json = {"count": len(rows), "per_page": 10, "prev_index": None, "more_records": more}
    page_info["next_index"] = str(start + 10) if more else None
    return jsonify({"Emails": rows, "info": page_info})


@crm.get("/Contacts/<contact_id>/Emails/<message_id>")
@guarded("crm", EMAILS)
def email(contact_id: str, message_id: str) -> ResponseReturnValue:
    for case in _of_contact(contact_id):
        for mail in case.mails:
            if mail["message_id"] == message_id:
                return jsonify({"Emails": [mail]})
    return Response(status=204)
