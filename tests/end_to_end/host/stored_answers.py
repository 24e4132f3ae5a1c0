"""A state with a stored answer: `python -m tests.end_to_end.host.stored_answers DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

from backend.domain.passage import Article, SolvedTicket
from backend.knowledge.store import put_articles, put_solved_tickets
from backend.services.deploy import add_nearest
from backend.store.database import open_database

QUESTION = "I forgot my password and cannot log in any more."
ANSWER = (
    "Click Forgot password below the form where you sign in; then look into your inbox for a link. "
) * 5

if __name__ == "__main__":
    db = open_database(Path(sys.argv[1]) / "suggest-answer.db")
    add_nearest(db=db)
    article = Article(
        id="reset",
        title="Reset your password",
        body="Open Settings, choose Security, and click Reset password.",
        url="https://help.example/reset",
        language="en",
    )
    solved = SolvedTicket(
        id="t-1",
        subject="Cannot log in",
        question=QUESTION,
        answer=ANSWER,
        language="en",
    )
    put_articles([article], db=db)
    put_solved_tickets([solved], db=db)
    db.conn.close()
