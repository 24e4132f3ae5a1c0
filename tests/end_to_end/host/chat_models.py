"""A state with chat endpoints: `python -m tests.end_to_end.host.chat_models DIR URL NAME...`."""

from __future__ import annotations

import sys
from pathlib import Path

from backend.services.deploy import add_chat
from backend.store.database import open_database

if __name__ == "__main__":
    state_dir, base_url, *names = sys.argv[1:]
    db = open_database(Path(state_dir) / "suggest-answer.db")
    for name in names:
        add_chat(name, base_url, active=True, db=db)
    db.conn.close()
