"""The schema, as steps that are only ever appended.

Times are UTC in ISO 8601 with milliseconds. Ratings and scores are append-only: triggers refuse to
change or delete them. The `candidates` table is the work queue (see `backend.store.queue`). The
tables of knowledge are made by `backend.knowledge`, which the trainer has without this store.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from backend.knowledge import store as knowledge

migrations = Migrations("suggest_answer")


@migrations()
def m001_tickets_suggestions_candidates(db: Database) -> None:
    """What was asked and what was answered."""
    db.execute("""
        CREATE TABLE tickets (
            id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, external_id TEXT NOT NULL,
            subject TEXT NOT NULL, text TEXT NOT NULL, language TEXT NOT NULL,
            contact TEXT NOT NULL, created TEXT NOT NULL
        ) STRICT""")
    db.execute("CREATE INDEX tickets_external ON tickets(external_id)")
    db.execute("""
        CREATE TABLE suggestions (
            id TEXT PRIMARY KEY, ticket_id TEXT NOT NULL REFERENCES tickets(id),
            fingerprint TEXT NOT NULL, steering TEXT NOT NULL, prefer TEXT NOT NULL,
            models TEXT NOT NULL, seed INTEGER NOT NULL, turn INTEGER NOT NULL,
            revision INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL
        ) STRICT""")
    db.execute("CREATE INDEX suggestions_fingerprint ON suggestions(fingerprint, created)")
    db.execute("CREATE INDEX suggestions_models ON suggestions(models)")
    db.execute("CREATE INDEX suggestions_ticket ON suggestions(ticket_id)")
    _add_candidates(db)


def _add_candidates(db: Database) -> None:
    db.execute("""
        CREATE TABLE candidates (
            id TEXT PRIMARY KEY, suggestion_id TEXT NOT NULL REFERENCES suggestions(id),
            label TEXT NOT NULL, model TEXT NOT NULL REFERENCES models(name),
            state TEXT NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'writing', 'done', 'failed', 'cancelled')),
            priority INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
            claim TEXT, lease_until REAL, not_before REAL NOT NULL DEFAULT 0,
            text TEXT NOT NULL DEFAULT '', finish TEXT, problem TEXT, problem_detail TEXT,
            revision INTEGER NOT NULL DEFAULT 0,
            prompt_format TEXT, prompt_sha256 TEXT, prompt_tokens INTEGER,
            cached_tokens INTEGER, completion_tokens INTEGER,
            queued TEXT NOT NULL, claimed TEXT, first_text TEXT, finished TEXT,
            UNIQUE (suggestion_id, label)
        ) STRICT""")
    db.execute("""
        CREATE INDEX candidates_queue ON candidates(priority, queued)
        WHERE state IN ('queued', 'writing')""")
    db.execute("CREATE INDEX candidates_model ON candidates(model, finished)")
    db.execute("""
        CREATE TRIGGER candidates_revision
        AFTER UPDATE OF state, text, problem ON candidates
        BEGIN
            UPDATE suggestions SET revision = revision + 1 WHERE id = NEW.suggestion_id;
            UPDATE candidates SET revision =
                (SELECT revision FROM suggestions WHERE id = NEW.suggestion_id)
            WHERE id = NEW.id;
        END""")
    db.execute("""
        CREATE TABLE candidate_passages (
            candidate_id TEXT NOT NULL REFERENCES candidates(id), position INTEGER NOT NULL,
            key TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
            score REAL NOT NULL, PRIMARY KEY (candidate_id, position)
        ) STRICT""")


@migrations()
def m002_models(db: Database) -> None:
    """Which models there are, which names point to them, and what runs."""
    db.execute("""
        CREATE TABLE models (
            name TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('gguf', 'chat', 'nearest')),
            path TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT '',
            base_url TEXT NOT NULL DEFAULT '', remote_name TEXT NOT NULL DEFAULT '',
            key_variable TEXT NOT NULL DEFAULT '', card TEXT NOT NULL DEFAULT '{}',
            prompt_tokens INTEGER, active INTEGER NOT NULL DEFAULT 0, added TEXT NOT NULL,
            removed TEXT
        ) STRICT""")
    db.execute("""
        CREATE TABLE aliases (
            id INTEGER PRIMARY KEY, alias TEXT NOT NULL,
            model TEXT NOT NULL REFERENCES models(name), replaced TEXT,
            state TEXT NOT NULL CHECK (state IN ('pending', 'current', 'past', 'failed')),
            problem TEXT NOT NULL DEFAULT '', created TEXT NOT NULL
        ) STRICT""")
    db.execute("CREATE UNIQUE INDEX aliases_current ON aliases(alias) WHERE state = 'current'")
    db.execute("""
        CREATE TABLE runners (
            model TEXT PRIMARY KEY REFERENCES models(name), state TEXT NOT NULL,
            base_url TEXT NOT NULL DEFAULT '', key TEXT NOT NULL DEFAULT '', pid INTEGER,
            problem TEXT NOT NULL DEFAULT '', changed TEXT NOT NULL
        ) STRICT""")


@migrations()
def m003_ratings_and_outcomes(db: Database) -> None:
    """What people thought of candidates and did with them."""
    db.execute("""
        CREATE TABLE rubrics (
            name TEXT NOT NULL, version INTEGER NOT NULL, definition TEXT NOT NULL,
            PRIMARY KEY (name, version)
        ) STRICT""")
    db.execute("""
        CREATE TABLE ratings (
            id TEXT PRIMARY KEY, candidate_id TEXT NOT NULL REFERENCES candidates(id),
            rater TEXT NOT NULL, rubric TEXT NOT NULL, rubric_version INTEGER NOT NULL,
            critical INTEGER NOT NULL, comment TEXT NOT NULL, ideal_answer TEXT NOT NULL,
            supersedes TEXT REFERENCES ratings(id), created TEXT NOT NULL,
            FOREIGN KEY (rubric, rubric_version) REFERENCES rubrics(name, version)
        ) STRICT""")
    db.execute("CREATE INDEX ratings_candidate ON ratings(candidate_id, rater, rubric)")
    db.execute("CREATE UNIQUE INDEX ratings_supersedes ON ratings(supersedes)")
    db.execute("""
        CREATE TABLE scores (
            rating_id TEXT NOT NULL REFERENCES ratings(id), criterion TEXT NOT NULL,
            score INTEGER NOT NULL CHECK (score BETWEEN 1 AND 5),
            PRIMARY KEY (rating_id, criterion)
        ) STRICT""")
    for table in ("ratings", "scores"):
        for verb in ("UPDATE", "DELETE"):
            db.execute(f"""
                CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table}
                BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END""")
    db.execute("""
        CREATE TABLE outcomes (
            id TEXT PRIMARY KEY, candidate_id TEXT NOT NULL REFERENCES candidates(id),
            kind TEXT NOT NULL, final_text TEXT NOT NULL, agent TEXT NOT NULL, created TEXT NOT NULL
        ) STRICT""")
    db.execute("CREATE INDEX outcomes_candidate ON outcomes(candidate_id)")
    db.execute("CREATE TABLE salts (purpose TEXT PRIMARY KEY, salt TEXT NOT NULL) STRICT")
    db.execute("""
        CREATE VIEW current_ratings AS
        SELECT * FROM ratings WHERE id NOT IN
            (SELECT supersedes FROM ratings WHERE supersedes IS NOT NULL)""")


@migrations()
def m004_knowledge(db: Database) -> None:
    """Articles and solved tickets, cut into passages that full-text search finds."""
    knowledge.create_tables(db)


@migrations()
def m005_raw_lines(db: Database) -> None:
    """Which lines of an export were read, by a mark of their content, and what became of them."""
    knowledge.create_raw_lines(db)
