"""Zoho CRM: a raw export line → a conversation (Case) or an article (Solution)."""

from __future__ import annotations

from datetime import datetime, timedelta
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
_BEFORE, _AFTER = timedelta(days=1), timedelta(days=3)


def conversation(line: Line) -> Conversation:
    """The Case of a line of `crm/cases.jsonl`.

    The customer asks in `Description`; mails of the same subject, sent between a day before the
    Case was opened and three days after it was last changed, continue it. `Solution` is the answer
    that the record keeps. Notes are internal, and so are comments unless they say otherwise.
    """
    record = record_in(line)
    subject = plain_subject(text_in(record, "Subject"))
    created = moment(record.get("Created_Time"))
    mails = _mails(line, subject, created, moment(record.get("Modified_Time")))
    messages = sorted([*mails, *_comments(record)], key=lambda message: message.at)
    opening = mail_text(text_in(record, "Description"))
    if opening and opening not in (message.text for message in messages):
        messages.insert(0, Message("customer", opening, created))
    status = text_in(record, "Status").lower()
    return Conversation(
        id=text_in(line, "id") or text_in(record, "id"),
        subject=subject,
        messages=tuple(messages),
        solution=mail_text(text_in(record, "Solution")),
        customer=_customer(record),
        created=created,
        topic=text_in(record, "Type") or text_in(record, "Case_Reason"),
        closed=status in ("closed", "resolved", "solved"),
        refused="spam" if status == "spam" else "",
        known=_known(record, line),
    )


def solution(line: Line) -> Article | None:
    """The published Solution of a line of `crm/solutions.jsonl`, as an article."""
    record = record_in(line)
    id_ = text_in(line, "id") or text_in(record, "id")
    question = " ".join(plain_text(text_in(record, "Question")).split())
    title = " ".join(plain_text(text_in(record, "Solution_Title")).split()) or question[:120]
    body = plain_text(text_in(record, "Answer"))
    if not (id_ and title and body) or record.get("Published") is False:
        return None
    return Article(
        id=id_,
        title=title,
        body=body,
        summary="" if question == title else question,
        updated=moment(record.get("Modified_Time")),
    )


def _mails(line: Line, subject: str, created: str, modified: str) -> list[Message]:
    found = []
    for mail in rows_in(line, "emails"):
        at = moment(mail.get("time"))
        if not (
            _same_subject(text_in(mail, "subject"), subject) and _within(at, created, modified)
        ):
            continue
        kind = "text/plain" if text_in(mail, "mail_format").lower() == "text" else ""
        text = mail_text(text_in(mail, "content") or text_in(mail, "summary"), kind)
        if not text or mail.get("sent") not in (True, False):
            continue
        sender = text_in(mail.get("from"), "email")
        writer: Who = "agent" if mail.get("sent") else "customer"
        if is_automatic(text_in(mail, "subject"), text, sender):
            writer = "machine"
        found.append(Message(writer, text, at))
    return found


def _same_subject(mail_subject: str, case_subject: str) -> bool:
    mail, case = plain_subject(mail_subject).casefold(), case_subject.casefold()
    return bool(mail and case) and (mail == case or mail.endswith(case) or case.endswith(mail))


def _within(at: str, created: str, modified: str) -> bool:
    if not (at and created):
        return True
    when, start = datetime.fromisoformat(at), datetime.fromisoformat(created)
    end = datetime.fromisoformat(modified or created)
    return start - _BEFORE <= when <= end + _AFTER


def _comments(record: Line) -> list[Message]:
    """Comments of a Case reach the customer in the portal only if they are marked as public."""
    agent = text_in(record.get("Owner"), "name")
    found = []
    for comment in rows_in(record, "Comments"):
        public = comment.get("is_public", comment.get("isPublic", comment.get("public"))) is True
        text = mail_text(text_in(comment, "comment_content"))
        if public and text:
            writer = comment.get("commented_by")
            name = text_in(writer, "name") if isinstance(writer, dict) else str(writer or "")
            at = moment(comment.get("commented_time"))
            found.append(Message("agent" if name == agent else "customer", text, at))
    return found


def _customer(record: Line) -> str:
    for name in ("Account_Name", "Related_To"):
        if id_ := text_in(record.get(name), "id"):
            return id_
    return text_in(record, "Email").lower()


def _known(record: Line, line: Line) -> Known:
    people = [record.get("Related_To"), record.get("Owner")]
    names = [text_in(person, "name") for person in people]
    mails = [text_in(person, "email") for person in people]
    for mail in rows_in(line, "emails"):
        receivers = mail.get("to")
        for person in [mail.get("from"), *(receivers if isinstance(receivers, list) else [])]:
            names.append(text_in(person, "user_name"))
            mails.append(text_in(person, "email"))
    return Known(
        names=present(text_in(record, "Reported_By"), *(name for name in names if "@" not in name)),
        emails=present(text_in(record, "Email"), *mails),
        phones=present(text_in(record, "Phone")),
        ids=present(text_in(record, "Case_Number")),
        accounts=present(text_in(record.get("Account_Name"), "name")),
    )
