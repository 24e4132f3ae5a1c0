"""What a run is to read, and which records stay no longer: from what is listed and known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from backend.zoho.journal import DELETED, EXPIRED, Kept, Page, Todo


def plan(
    pages: Iterable[Page],
    known: Mapping[str, Kept],
    *,
    again: bool,
    refused: Collection[str] = (),
) -> list[Todo]:
    """What to read, by the number of the ids: each once, and not what is known and unchanged.

    Those `refused` before are tried again.
    """
    marks: dict[str, str] = {}
    gone: set[str] = set()
    for page in pages:
        marks.update(page.items)
        gone.update(page.gone)
    fresh = [
        Todo(name, mark)
        for name, mark in marks.items()
        if again or not mark or name in refused or name not in known or known[name].mark != mark
    ]
    fresh += [Todo(name) for name in refused if name not in marks and name not in gone]
    noted = {name for name, kept in known.items() if kept.day == DELETED}
    lost = [Todo(name, gone=True) for name in gone - marks.keys() - noted]
    return sorted((*fresh, *lost), key=lambda one: (len(one.id), one.id))


def expire(known: Mapping[str, Kept], *, keep_days: int, today: str) -> dict[str, Kept]:
    """The same, with records exported more than `keep_days` ago marked as expired; 0: none."""
    if not keep_days:
        return dict(known)
    oldest = (datetime.fromisoformat(today) - timedelta(days=keep_days)).date().isoformat()
    return {
        name: Kept(EXPIRED, kept.mark) if kept.day < oldest else kept
        for name, kept in known.items()
    }
