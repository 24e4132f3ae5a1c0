"""CRM as a source of records: Solutions, and Cases with notes, comments and mails.

The pagination is by page numbers and then page tokens, in the order of the id, which no change
moves. A record that is deleted meanwhile would shift the pages, so after the list the deletions
are looked at, and the list is read again if there was one. A record itself is read by its own
address: a list gives 50 fields at most and leaves out the comments.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from backend.domain.errors import ZohoError, ZohoNotFound
from backend.zoho.client import NO_HEADERS, Api, moment_of, page_of, record_of, rows_of
from backend.zoho.sync_state import Page, SyncRun

Json = dict[str, Any]
OVERLAP = timedelta(minutes=15)
PAGES_BY_NUMBER = 10
PER_PAGE = 200
READS_OF_ONE_LIST = 6
MAIL_MARGIN = timedelta(days=2)
_CONTACTS_KEPT = 500
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NOTE_FIELDS = "Note_Title,Note_Content,Parent_Id,Owner,Created_Time,Modified_Time"
_REPLY = re.compile(r"^\s*(?:(?:re|fwd?|aw|wg|sv|rv|отв|відп|пер)\s*(?:\[\d+\])?\s*:\s*)+", re.I)


class _Records:
    """What Cases and Solutions have in common."""

    def __init__(self, api: Api, module: str) -> None:
        self._api = api
        self._module = module
        self.stream = f"crm/{module.lower()}"

    def pages(self, run: SyncRun, known: Sequence[str], after: Any) -> Iterator[Page]:
        """All ids changed since, and the ids that CRM says are deleted, as one page."""
        if after is not None:
            return
        since = datetime.fromisoformat(run.since) - OVERLAP if run.since else None
        deleted = self._deleted(since)
        for _ in range(READS_OF_ONE_LIST):
            items = tuple(self._listed(since))
            before, deleted = deleted, self._deleted(since)
            if before == deleted:
                yield Page(True, items, tuple(sorted(deleted)))
                return
        raise ZohoError(
            f"{self._module} are deleted faster than their list can be read. Run the export again "
            "at a quieter time; everything read so far is kept."
        )

    def _listed(self, since: datetime | None) -> Iterator[tuple[str, str]]:
        asked: dict[str, str | int] = {
            "fields": "Modified_Time",
            "per_page": PER_PAGE,
            "sort_by": "id",
            "sort_order": "asc",
        }
        number, token = 1, None
        while True:
            place = (
                {"page_token": token} if token and number > PAGES_BY_NUMBER else {"page": number}
            )
            body = self._api.get(self._module, asked | place, headers=_since(since)).body
            for row in rows_of(body):
                yield str(row["id"]), str(row.get("Modified_Time") or "")
            token, number = page_of(body).get("next_page_token"), number + 1
            if not page_of(body).get("more_records"):
                return

    def _deleted(self, since: datetime | None) -> set[str]:
        """CRM knows them for 60 days in its bin, 120 when deleted for good (API v7, "deleted")."""
        found: set[str] = set()
        number = 1
        while True:
            asked: dict[str, str | int] = {"type": "all", "page": number, "per_page": PER_PAGE}
            body = self._api.get(f"{self._module}/deleted", asked, headers=_since(since)).body
            found.update(str(row["id"]) for row in rows_of(body))
            number += 1
            if not page_of(body).get("more_records"):
                return found

    def _record(self, record_id: str) -> Json | None:
        try:
            body = self._api.get(f"{self._module}/{record_id}").body
        except ZohoNotFound:
            return None
        rows = rows_of(body)
        return record_of(rows[0]) if rows else None


class Solutions(_Records):
    """Questions and answers that agents keep."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "Solutions")

    def read(self, record_id: str) -> Json | None:
        """The Solution."""
        record = self._record(record_id)
        return None if record is None else {"record": record}


class Cases(_Records):
    """Cases with their notes, and with the mails of their contact that belong to them.

    CRM has no list of mails for a Case: those of the contact are gone through, and a mail belongs
    to the Case that it is linked to, or to the one whose number or subject it carries within the
    Case's time.
    """

    def __init__(self, api: Api) -> None:
        super().__init__(api, "Cases")
        self._mails: OrderedDict[str, list[Json]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, record_id: str) -> Json | None:
        """The Case, its notes, and its mails from the oldest on with their texts."""
        record = self._record(record_id)
        if record is None:
            return None
        contact = (record.get("Related_To") or {}).get("id")
        mails = self._of_contact(str(contact)) if contact else []
        mine = [mail for mail in mails if belongs(mail, record)]
        mine.sort(key=lambda mail: (moment_of(mail.get("time")) or _LONG_AGO, mail["message_id"]))
        emails = [text for mail in mine for text in self._text(str(contact), mail)]
        return {"record": record, "notes": self._notes(record_id), "emails": emails}

    def _notes(self, record_id: str) -> list[Json]:
        found: list[Json] = []
        number = 1
        while True:
            asked: dict[str, str | int] = {
                "fields": _NOTE_FIELDS,
                "per_page": PER_PAGE,
                "page": number,
            }
            body = self._optional(f"{self._module}/{record_id}/Notes", asked)
            found += rows_of(body)
            number += 1
            if not page_of(body).get("more_records"):
                return found

    def _of_contact(self, contact: str) -> list[Json]:
        """All mails of a contact without their texts; kept for his next Case."""
        with self._lock:
            if contact in self._mails:
                self._mails.move_to_end(contact)
                return self._mails[contact]
        found: list[Json] = []
        index: str | None = ""
        while index is not None:
            asked = {"index": index} if index else {}
            body = self._optional(f"Contacts/{contact}/Emails", asked)
            found += rows_of(body, "Emails", key="message_id")
            page = page_of(body)
            index = page.get("next_index") if page.get("more_records") else None
        with self._lock:
            self._mails[contact] = found
            while len(self._mails) > _CONTACTS_KEPT:
                self._mails.popitem(last=False)
        return found

    def _text(self, contact: str, mail: Json) -> list[Json]:
        name = quote(str(mail["message_id"]), safe="")
        body = self._optional(f"Contacts/{contact}/Emails/{name}", {})
        return rows_of(body, "Emails", key="message_id")

    def _optional(self, path: str, asked: Mapping[str, str | int]) -> Json | None:
        """What belongs to a Case; None if it has gone."""
        try:
            found: Json | None = self._api.get(path, asked).body
        except ZohoNotFound:
            return None
        return found


def belongs(mail: Mapping[str, Any], case: Mapping[str, Any]) -> bool:
    """Whether a mail of the Case's contact is part of its conversation.

    Where the mail or the Case does not tell its time, the subject alone says too little.
    """
    linked = mail.get("linked_record")
    if linked:
        return str(linked.get("id")) == str(case["id"])
    subject = str(mail.get("subject") or "")
    number = str(case.get("Case_Number") or "")
    if number and re.search(rf"(?<![\w-]){re.escape(number)}(?![\w-])", subject):
        return True
    same = _plain(subject) and _plain(subject) == _plain(str(case.get("Subject") or ""))
    begun, ended = moment_of(case.get("Created_Time")), moment_of(case.get("Modified_Time"))
    sent = moment_of(mail.get("time"))
    if not (same and begun and ended and sent):
        return False
    return begun - MAIL_MARGIN <= sent <= ended + MAIL_MARGIN


def _plain(subject: str) -> str:
    return " ".join(_REPLY.sub("", subject).split()).casefold()


def _since(since: datetime | None) -> Mapping[str, str]:
    """CRM's header for what changed since, which is ISO here and not the date of HTTP."""
    if since is None:
        return NO_HEADERS
    return {"If-Modified-Since": since.isoformat(timespec="seconds")}
