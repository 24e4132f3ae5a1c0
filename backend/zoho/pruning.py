"""Raw records do not stay for ever: those exported too long ago are deleted from the folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from backend.zoho.export import alone
from backend.zoho.journal import EXPIRED, Journal, Kept, iso
from backend.zoho.planning import expire
from backend.zoho.raw_file import RawFile

STREAMS = ("desk/articles", "desk/tickets", "crm/solutions", "crm/cases")


def prune_folder(folder: Path, *, keep_days: int) -> Iterator[str]:
    """Deletes raw records exported more than `keep_days` ago; a sentence for each stream.

    What an interrupted export wrote is not counted yet: finishing it prunes too. One that is
    itself too old is given up, and what it wrote is deleted.
    """
    with alone(folder):
        for stream in STREAMS:
            file = folder / f"{stream}.jsonl"
            if file.is_file():
                yield f"{stream}: {_prune(Journal(folder, stream), file, keep_days)}"


def _prune(journal: Journal, file: Path, keep_days: int) -> str:
    state, today = journal.state(), iso(time.time())[:10]
    raw = RawFile(file)
    try:
        if state.span is not None:
            begun = expire({"": Kept(state.span.until[:10], "")}, keep_days=keep_days, today=today)
            if begun[""].day != EXPIRED:
                return "an interrupted export is younger than that. Finish it: that prunes too."
            raw.recover(state.start, [])
            state = journal.save(state.into("idle", span=None, start=0))
        known = expire(journal.known(), keep_days=keep_days, today=today)
        journal.write_known(known)
        expired = {name for name, kept in known.items() if kept.day == EXPIRED}
        before = raw.size
        raw.compact(expired)
        return f"{before - raw.size:,} bytes deleted, {raw.size:,} kept."
    finally:
        raw.close()
