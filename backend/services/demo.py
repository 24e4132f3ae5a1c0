"""Filling a state directory with the demo help desk: its articles, tickets and models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlite_utils import Database

from backend.knowledge.store import solved_ticket_count
from backend.services.deploy import card_beside
from backend.services.import_knowledge import as_it_is, import_files
from backend.store.models import Model, add_model, is_removed, models, move_model
from backend.system.files import sha256_of

DEMO = Path(__file__).resolve().parent.parent.parent / "demo"


def prepare_demo(*, db: Database) -> None:
    """Imports the demo corpus and registers its models, as far as that is not done."""
    corpus = DEMO / "corpus"
    if solved_ticket_count(db=db) == 0:
        import_files(
            articles=corpus / "articles.jsonl",
            tickets=corpus / "solved_tickets.jsonl",
            db=db,
            progress=lambda count: None,
            hide=as_it_is,
        )
    known = {model.name: model for model in models(db)}
    for wanted in demo_models():
        if is_removed(wanted.name, db=db):
            continue
        registered = known.get(wanted.name)
        if registered is None:
            add_model(wanted, db=db)
        elif replace(registered, active=True) != wanted:
            move_model(wanted, db=db)


def demo_models() -> list[Model]:
    """The nearest solved ticket, and the GGUFs that the trainer made from the demo corpus."""
    found = [Model(name="nearest", kind="nearest", active=True)]
    for path in sorted((DEMO / "models").glob("*.gguf")):
        card = card_beside(path)
        found.append(
            Model(
                name=path.stem,
                kind="gguf",
                path=str(path),
                sha256=sha256_of(path),
                card=card.to_json() if card else "{}",
                prompt_tokens=(card.prompt_tokens or None) if card else None,
                active=True,
            )
        )
    return found
