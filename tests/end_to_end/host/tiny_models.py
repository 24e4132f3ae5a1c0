"""Fills a state directory for browser tests: `python -m tests.end_to_end.host.tiny_models DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

from backend.services.deploy import add_gguf, deactivate
from backend.store.database import open_database
from tests.conftest import fill
from tests.tiny_gguf import write_tiny_gguf

if __name__ == "__main__":
    state_dir = Path(sys.argv[1])
    fill(state_dir)
    db = open_database(state_dir / "suggest-answer.db")
    deactivate("nearest", db=db)
    add_gguf(write_tiny_gguf(state_dir / "tiny-3.gguf", seed=3, context=2048), db=db, active=True)
    db.conn.close()
