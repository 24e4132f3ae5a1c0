"""Desk's REST API as the local Zoho speaks it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from tests.zoho.desk_records import DEPARTMENTS, TicketRecord
from tests.zoho.guarding import guarded, maybe_shift, portal, refusal

Json = dict[str, Any]
desk = Blueprint("desk", __name__, url_prefix="/api/v1")
TICKETS, ARTICLES, SEARCH, BASIC = (
    f"Desk.{name}.READ" for name in ("tickets", "articles", "search", "basic")
)


def _nothing() -> Response:
    return Response(status=204)


def _rows(found: Sequence[Json], *, most: int, first: int = 0, count: bool = False) -> Response:
    """A page of a list, or 204; 422 when more is asked for than a page may hold."""
    limit, start = int(request.args.get("limit", 10)), int(request.args.get("from", first))
    if not 1 <= limit <= most or start < first:
        return refusal("desk", 422, "UNPROCESSABLE_ENTITY", "The value of limit or from is wrong.")
    page = found[start - first : start - first + limit]
    if not page:
        return _nothing()
    return jsonify({"data": page, "count": len(found)} if count else {"data": page})


@desk.get("/organizations")
@guarded("desk", BASIC, org=False)
def organizations() -> ResponseReturnValue:
    found = portal().organisations.items()
    return jsonify({"data": [{"id": int(name), "companyName": title} for name, title in found]})


@desk.get("/departments")
@guarded("desk", BASIC, weight=3)
def departments() -> ResponseReturnValue:
    return _rows(
        [{"id": department, "name": f"Department {department[-1]}"} for department in DEPARTMENTS],
        most=200,
    )


@desk.get("/articles")
@guarded("desk", ARTICLES, weight=3)
def list_articles() -> ResponseReturnValue:
    maybe_shift("articles")
    wanted = request.args.get("status")
    records = sorted(portal().articles.values(), key=lambda article: article.record["modifiedTime"])
    found = [article.listed for article in records if wanted in (None, article.record["status"])]
    return _rows(found, most=50, first=1)


@desk.get("/articles/<article_id>")
@guarded("desk", ARTICLES)
def article(article_id: str) -> ResponseReturnValue:
    found = portal().articles.get(article_id)
    return jsonify(found.record) if found else refusal("desk", 404, "URL_NOT_FOUND")


@desk.get("/articles/<article_id>/translations/<locale>")
@guarded("desk", ARTICLES)
def translation(article_id: str, locale: str) -> ResponseReturnValue:
    found = portal().articles.get(article_id)
    if found is None or locale not in found.translations:
        return refusal("desk", 404, "URL_NOT_FOUND")
    return jsonify(found.translations[locale])


@desk.get("/tickets/search")
@guarded("desk", SEARCH, weight=3)
def search() -> ResponseReturnValue:
    maybe_shift("tickets")
    found = [
        ticket for ticket in portal().tickets.values() if not ticket.archived and _matches(ticket)
    ]
    if int(request.args.get("from", 0)) >= portal().search_limit:
        return refusal("desk", 422, "UNPROCESSABLE_ENTITY", "from is too large")
    order = request.args.get("sortBy", "modifiedTime")
    axis = order.removeprefix("-")
    found.sort(key=lambda ticket: (ticket.record[axis], ticket.id), reverse=order.startswith("-"))
    listed = [ticket.listed for ticket in found]
    if not portal().tells_modified_in_lists:
        for row in listed:
            row.pop("modifiedTime")
    return _rows(listed, most=100, count=True)


def _matches(ticket: TicketRecord) -> bool:
    asked = request.args
    ids = asked.get("id")
    if ids and ticket.id not in ids.split(","):
        return False
    if asked.get("departmentId") not in (None, ticket.record["departmentId"]):
        return False
    for name in ("modifiedTime", "createdTime"):
        if f"{name}Range" in asked:
            start, end = map(datetime.fromisoformat, asked[f"{name}Range"].split(","))
            if not start <= datetime.fromisoformat(ticket.record[name]) <= end:
                return False
    return True


@desk.get("/tickets")
@guarded("desk", TICKETS, weight=3)
def list_tickets() -> ResponseReturnValue:
    found = sorted(portal().tickets.values(), key=lambda ticket: ticket.record["createdTime"])
    return _rows([ticket.listed for ticket in found if not ticket.archived], most=100)


@desk.get("/tickets/archivedTickets")
@guarded("desk", TICKETS, weight=3)
def archived() -> ResponseReturnValue:
    maybe_shift("archived")
    department = request.args.get("departmentId")
    if not department:
        return refusal("desk", 422, "INVALID_DATA", "departmentId is missing")
    found = [
        ticket.listed
        for ticket in portal().tickets.values()
        if ticket.archived and ticket.record["departmentId"] == department
    ]
    return _rows(found, most=100)


def _ticket(ticket_id: str) -> TicketRecord:
    """The ticket, once what is to happen to it while it is read has happened."""
    found = portal()
    if found.take_fault(request.path, "reply") and ticket_id in found.tickets:
        found.reply(ticket_id)
    if found.take_fault(request.path, "delete"):
        found.delete("tickets", ticket_id)
    if ticket_id not in found.tickets:
        abort(refusal("desk", 404, "URL_NOT_FOUND"))
    return found.tickets[ticket_id]


@desk.get("/tickets/<ticket_id>")
@guarded("desk", TICKETS)
def ticket(ticket_id: str) -> ResponseReturnValue:
    return jsonify(_ticket(ticket_id).record)


@desk.get("/tickets/<ticket_id>/conversations")
@guarded("desk", TICKETS, weight=3)
def conversations(ticket_id: str) -> ResponseReturnValue:
    return _rows(_ticket(ticket_id).conversation, most=200)


@desk.get("/tickets/<ticket_id>/threads/<thread_id>")
@guarded("desk", TICKETS)
def thread(ticket_id: str, thread_id: str) -> ResponseReturnValue:
    for thread in _ticket(ticket_id).threads:
        if thread["id"] == thread_id:
            shown = {name: value for name, value in thread.items() if name != "fullContent"}
            if thread["isContentTruncated"]:
                shown["fullContentURL"] = f"{request.base_url}/fullContent"
            return jsonify(shown)
    return refusal("desk", 404, "URL_NOT_FOUND")


@desk.get("/tickets/<ticket_id>/threads/<thread_id>/fullContent")
@guarded("desk", TICKETS)
def full_content(ticket_id: str, thread_id: str) -> ResponseReturnValue:
    for thread in _ticket(ticket_id).threads:
        if thread["id"] == thread_id and "fullContent" in thread:
            return jsonify({"content": thread["fullContent"]})
    return refusal("desk", 404, "URL_NOT_FOUND")
