"""Zoho Desk: a raw export line → a conversation, or an article in each of its languages."""

from __future__ import annotations

import re
from typing import Any

from backend.domain.passage import Article
from backend.intake.conversation import (
    Conversation,
    Message,
    Who,
    mail_text,
    moment,
    plain_text,
    present,
    record_in,
    rows_in,
    text_in,
)
from backend.intake.mail import is_automatic, plain_subject
from backend.privacy.detect.known import Known

Line = dict[str, Any]
_MAIL = re.compile(r"[^\s<>\",;]{1,100}@[^\s<>\",;]{1,150}")
_UNSENT = ("DRAFT", "PENDING", "FAILED", "SCHEDULED")


def conversation(line: Line) -> Conversation:
    """The ticket of a line of `desk/tickets.jsonl`.

    Threads are taken from `threads`; where one is missing there, what the list of conversations
    tells of it counts. A ticket without a thread of the customer is opened by its description.
    """
    record = record_in(line)
    subject = plain_subject(text_in(record, "subject"))
    threads = _threads(line)
    messages = sorted(
        [*_thread_messages(threads, subject), *_public_comments(line)],
        key=lambda message: message.at,
    )
    if not any(message.who == "customer" for message in messages):
        opening = mail_text(text_in(record, "description"))
        if opening:
            at = moment(record.get("createdTime"))
            messages.insert(0, Message("customer", opening, at))
    return Conversation(
        id=text_in(line, "id") or text_in(record, "id"),
        subject=subject,
        messages=tuple(messages),
        solution=mail_text(text_in(record, "resolution")),
        customer=_customer(record),
        created=moment(record.get("createdTime")),
        topic=text_in(record, "category") or text_in(record, "classification"),
        url=text_in(record, "webUrl"),
        closed=text_in(record, "statusType").lower() == "closed"
        or text_in(record, "status").lower() == "closed",
        refused=_refusal(record),
        known=_known(record, threads),
    )


def articles(line: Line) -> list[Article]:
    """The published article of a line of `desk/articles.jsonl`, and its translations.

    A translation's id is the article's with its language after a colon.
    """
    record = line.get("record")
    if not isinstance(record, dict):
        return []
    id_ = text_in(line, "id") or text_in(record, "id")
    own = text_in(record, "locale")
    found = [_article(record, id_)]
    found += [
        _article({**record, **translation}, f"{id_}:{text_in(translation, 'locale')}")
        for translation in rows_in(line, "translations")
        if text_in(translation, "locale") not in ("", own)
    ]
    return [article for article in found if article is not None]


def _article(record: Line, id_: str) -> Article | None:
    title = " ".join(plain_text(text_in(record, "title")).split())
    body = plain_text(text_in(record, "answer"), "text/html")
    published = text_in(record, "status").lower() in ("", "published")
    internal = text_in(record, "permission").upper() == "AGENTS"
    if not (id_ and title and body and published and not internal):
        return None
    return Article(
        id=id_,
        title=title,
        body=body,
        summary=plain_text(text_in(record, "summary")),
        url=text_in(record, "portalUrl") or text_in(record, "webUrl"),
        language=text_in(record, "locale").partition("-")[0].lower(),
        updated=moment(record.get("modifiedTime")),
    )


def _threads(line: Line) -> list[Line]:
    whole = {text_in(thread, "id"): thread for thread in rows_in(line, "threads")}
    listed = [
        entry for entry in rows_in(line, "conversations") if text_in(entry, "type") != "comment"
    ]
    known = {text_in(entry, "id") for entry in listed}
    merged = [{**entry, **whole.get(text_in(entry, "id"), {})} for entry in listed]
    return merged + [thread for id_, thread in whole.items() if id_ not in known]


def _thread_messages(threads: list[Line], subject: str) -> list[Message]:
    found = []
    for thread in threads:
        unseen = text_in(thread, "visibility").lower() not in ("", "public")
        forward = thread.get("isForward") is True and text_in(thread, "direction") == "out"
        unsent = text_in(thread, "status").upper() in _UNSENT or thread.get("isDraft") is True
        if unseen or forward or unsent:
            continue
        text = _thread_text(thread)
        if text:
            who = _who(thread, subject, text)
            found.append(Message(who, text, moment(thread.get("createdTime"))))
    return found


def _thread_text(thread: Line) -> str:
    content = text_in(thread, "content")
    if content:
        return mail_text(content, text_in(thread, "contentType"))
    return mail_text(text_in(thread, "plainText") or text_in(thread, "summary"), "text/plain")


def _who(thread: Line, subject: str, text: str) -> Who:
    author = thread.get("author")
    kind = text_in(author, "type").upper()
    sender = text_in(author, "email") or _address(text_in(thread, "fromEmailAddress"))
    own_subject = text_in(thread, "subject") or subject
    if kind in ("SYSTEM", "BOT", "AUTOMATION") or is_automatic(own_subject, text, sender):
        return "machine"
    direction = text_in(thread, "direction").lower()
    if direction in ("in", "out"):
        return "customer" if direction == "in" else "agent"
    return "agent" if kind == "AGENT" else "customer"


def _public_comments(line: Line) -> list[Message]:
    found = []
    for entry in rows_in(line, "conversations"):
        if text_in(entry, "type") != "comment" or entry.get("isPublic") is not True:
            continue
        text = mail_text(text_in(entry, "content"), text_in(entry, "contentType"))
        agent = text_in(entry.get("commenter"), "type").upper() == "AGENT"
        if text:
            at = moment(entry.get("commentedTime"))
            found.append(Message("agent" if agent else "customer", text, at))
    return found


def _refusal(record: Line) -> str:
    flags = {
        "spam": ("isSpam", "markedAsSpam"),
        "deleted": ("isDeleted", "isTrashed"),
        "merged into another ticket": ("isMerged", "mergedTicketId", "mergedTo"),
    }
    for reason, names in flags.items():
        if any(record.get(name) not in (None, False, "", "false") for name in names):
            return reason
    if text_in(record, "status").lower() in ("spam", "merged"):
        return (
            "spam"
            if text_in(record, "status").lower() == "spam"
            else ("merged into another ticket")
        )
    return ""


def _customer(record: Line) -> str:
    contact = record.get("contact")
    return (
        text_in(record, "accountId")
        or text_in(record, "contactId")
        or text_in(contact, "id")
        or text_in(record, "email").lower()
    )


def _known(record: Line, threads: list[Line]) -> Known:
    contact, assignee = record.get("contact"), record.get("assignee")
    authors = [thread.get("author") for thread in threads]
    people = [contact, assignee, *authors]
    names = [_name(person) for person in people]
    mails = [text_in(person, "email") for person in people]
    mails += [found for thread in threads for found in _addresses(thread)]
    account = contact.get("account") if isinstance(contact, dict) else None
    return Known(
        names=present(*names),
        emails=present(text_in(record, "email"), *mails),
        phones=present(
            text_in(record, "phone"), text_in(contact, "phone"), text_in(contact, "mobile")
        ),
        accounts=present(text_in(account, "accountName")),
    )


def _name(person: Any) -> str:
    parts = (text_in(person, "firstName"), text_in(person, "lastName"))
    whole = " ".join(part for part in parts if part)
    name = whole or text_in(person, "name")
    return "" if "@" in name else name


def _address(value: str) -> str:
    found = _MAIL.search(value)
    return found.group() if found else ""


def _addresses(thread: Line) -> list[str]:
    return [
        found
        for name in ("fromEmailAddress", "to", "cc")
        for found in _MAIL.findall(text_in(thread, name)[:2_000])
    ]
