"""Desk's articles as its API shows them, made from articles in several languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.zoho import texts
from tests.zoho.desk_records import DEPARTMENTS, page, stamp

Json = dict[str, Any]
FIRST_ARTICLE = 22372000000094160


class ArticleRecord:
    """One article and its translations, by locale."""

    def __init__(self, record: Json, translations: dict[str, Json]) -> None:
        self.record = record
        self.translations = translations

    @property
    def listed(self) -> Json:
        """The article as a list shows it: without its text."""
        hidden = ("answer", "tags", "attachments", "seo")
        return {name: value for name, value in self.record.items() if name not in hidden}


def articles() -> dict[str, ArticleRecord]:
    """The help desk's articles in English, then those in several languages; by id."""
    found = [_translated(versions, number) for number, versions in enumerate(texts.articles())]
    return {article.record["id"]: article for article in found}


def _article(row: Json, number: int) -> ArticleRecord:
    moment = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=7 * number)
    record = {
        "id": str(FIRST_ARTICLE + 100 * number),
        "title": row["title"],
        "summary": row.get("summary", ""),
        "answer": page(row["body"]),
        "locale": "en-us",
        "status": "Published",
        "permission": "ALL",
        "permalink": row["id"],
        "departmentId": DEPARTMENTS[0],
        "latestVersion": "1.0",
        "createdTime": stamp(moment),
        "modifiedTime": stamp(moment),
        "tags": [],
        "attachments": [],
        "webUrl": row.get("url", ""),
        "availableLocaleTranslations": [
            {"locale": "en-us", "translationId": str(FIRST_ARTICLE + 100 * number + 1)}
        ],
    }
    return ArticleRecord(record, {})


def _translated(versions: dict[str, Json], number: int) -> ArticleRecord:
    made = _article(versions["en"], number)
    others = [language for language in ("uk", "ru") if language in versions]
    for place, language in enumerate(others, start=2):
        locale = {
            "locale": language,
            "translationId": str(FIRST_ARTICLE + 100 * number + place),
            "status": "Published",
        }
        made.record["availableLocaleTranslations"].append(locale)
        made.translations[language] = made.record | {
            "title": versions[language]["title"],
            "answer": page(versions[language]["body"]),
            "locale": language,
            "translationId": locale["translationId"],
        }
    return made
