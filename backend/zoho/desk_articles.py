"""Desk's articles as a source of records: each with its translations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from backend.domain.errors import ZohoNotFound
from backend.zoho.answers import record_of, rows_of
from backend.zoho.calls import Api
from backend.zoho.desk_lists import Json, whole
from backend.zoho.journal import Kept, Page, Span

_LOCALES = "availableLocaleTranslations"


class Articles:
    """Published articles. Whatever is not published any more counts as deleted."""

    stream = "desk/articles"

    def __init__(self, api: Api) -> None:
        self._api = api

    def pages(self, span: Span, known: Mapping[str, Kept], after: Any) -> Iterator[Page]:
        """One page with all: the list is short, and only a whole one shows what has gone."""
        if after is not None:
            return
        asked = {"status": "Published", "sortBy": "modifiedTime"}
        rows = whole(self._api, "articles", asked, limit=50, first=1)
        items = tuple((str(row["id"]), _article_mark(row)) for row in rows)
        listed = {name for name, _ in items}
        lost = tuple((name, "") for name in sorted(known) if name not in listed)
        yield Page(True, items + lost)  # reading a lost one tells whether it has really gone

    def read(self, record_id: str) -> Json | None:
        """The article and its published translations."""
        try:
            record = record_of(self._api.get(f"articles/{record_id}").body)
        except ZohoNotFound:
            return None
        if record is None or record.get("status") != "Published":
            return None
        found = []
        listed = rows_of(record, _LOCALES, key="locale") if record.get(_LOCALES) else []
        for one in listed:
            if one["locale"] != record.get("locale") and one.get("status") in (None, "Published"):
                found += self._translation(record_id, str(one["locale"]))
        return {"record": record, "translations": found}

    def _translation(self, record_id: str, locale: str) -> list[Json]:
        try:
            found = self._api.get(f"articles/{record_id}/translations/{quote(locale, safe='')}")
        except ZohoNotFound:
            return []
        return [found.body] if found.body else []


def _article_mark(row: Json) -> str:
    versions = [
        f"{one.get('locale')}={one.get('translationId')}={one.get('status')}"
        for one in row.get(_LOCALES) or []
    ]
    return "|".join(map(str, (row.get("modifiedTime"), row.get("latestVersion"), *versions)))
