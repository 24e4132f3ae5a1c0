"""Adding models, putting them to work, and going back."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from sqlite_utils import Database

from backend.domain.errors import BadInput, Conflict, HashMismatch, NotAGguf
from backend.domain.model_card import FILE_NAME, ModelCard, check_prompt_format
from backend.store import promotions
from backend.store.models import Model, add_model, model_named, remove_model, set_active
from backend.store.promotions import Promotion
from backend.system.database import transaction
from backend.system.files import sha256_of

PROMOTIONS_SHOWN = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAGIC = b"GGUF"


def add_gguf(
    path: Path, *, db: Database, name: str = "", active: bool = False, sha256: str = ""
) -> Model:
    """Registers a GGUF under a name, with its card and the hash that every load checks.

    The card is `<stem>.model_card.json` or `model_card.json` beside the file. Raises NotAGguf,
    HashMismatch if the file is not the one that the card or `sha256` names, WrongPromptFormat,
    NameTaken.
    """
    path = path.absolute()
    _check_magic(path)
    card = card_beside(path)
    found = sha256_of(path)
    for source, expected in (
        ("you gave", sha256.lower()),
        ("its card names", card and card.sha256.lower()),
    ):
        if expected and expected != found:
            raise HashMismatch(
                f"{path} has sha256 {found}, not {expected} that {source}. "
                "It is damaged or another file: fetch it again."
            )
    if card:
        check_prompt_format(card)
    model = Model(
        name=checked_name(name or (card.name if card else path.stem)),
        kind="gguf",
        path=str(path),
        sha256=found,
        card=card.to_json() if card else "{}",
        prompt_tokens=(card.prompt_tokens or None) if card else None,
        active=active,
    )
    add_model(model, db=db)
    return model


def add_chat(
    name: str,
    base_url: str,
    *,
    db: Database,
    remote_name: str = "",
    key_variable: str = "",
    active: bool = False,
) -> Model:
    """Registers an OpenAI-compatible endpoint. Its key stays in the named environment variable."""
    _check_base_url(base_url)
    if key_variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key_variable):
        raise BadInput(
            f"{key_variable!r} is no name of an environment variable. Put the key into a variable "
            "such as OPENAI_API_KEY and give that name."
        )
    model = Model(
        name=checked_name(name),
        kind="chat",
        base_url=base_url.rstrip("/"),
        remote_name=remote_name or name,
        key_variable=key_variable,
        active=active,
    )
    add_model(model, db=db)
    return model


def add_nearest(*, db: Database, name: str = "nearest", active: bool = True) -> Model:
    """Registers the engine that needs no model: the nearest solved ticket."""
    model = Model(name=checked_name(name), kind="nearest", active=active)
    add_model(model, db=db)
    return model


def activate(name: str, *, db: Database) -> Model:
    """From now on the model answers clicks, once its runner is ready."""
    set_active(name, True, db=db)
    return model_named(name, db=db)


def deactivate(name: str, *, db: Database) -> Model:
    """From now on the model answers no new click; what it is writing it may finish."""
    set_active(name, False, db=db)
    return model_named(name, db=db)


def remove(name: str, *, db: Database) -> None:
    """Takes the model out for good. Its ratings stay. Raises Conflict while an alias names it."""
    with transaction(db):
        for promotion in promotions.promotions(db):
            if promotion.model == name and promotion.state in ("current", "pending"):
                raise Conflict(f"{promotion.alias} is {name}. Promote another model first.")
        remove_model(name, db=db)


def promote(name: str, *, db: Database) -> Model:
    """Asks that `production` becomes this model; the supervisor switches once it has answered."""
    promotions.ask_promotion(name, db=db)
    return model_named(name, db=db)


def roll_back(name: str, *, db: Database) -> Model:
    """Asks that `production`, now this model, becomes again what it was before."""
    current = promotions.aliases(db).get(promotions.PRODUCTION)
    if current != name:
        raise Conflict(f"{promotions.PRODUCTION} is {current or 'no model yet'}, not {name}.")
    return model_named(promotions.ask_rollback(db=db), db=db)


def last_promotions(db: Database) -> list[Promotion]:
    """What was promoted of late, newest first."""
    return promotions.promotions(db)[:PROMOTIONS_SHOWN]


def checked_name(name: str) -> str:
    """The name, if it can stand in addresses and reports. Raises BadInput otherwise."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no model name: letters, digits, dot, dash and underscore, 64 at most."
        )
    return name


def card_beside(path: Path) -> ModelCard | None:
    """The model card that lies beside a GGUF, or None."""
    for card in (path.with_name(f"{path.stem}.{FILE_NAME}"), path.with_name(FILE_NAME)):
        if card.is_file():
            return ModelCard.from_json(card.read_bytes())
    return None


def _check_base_url(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port over 65535, or a broken IPv6 address
        usable = False
    if not usable or parts.query or parts.fragment:
        raise BadInput(
            f"{base_url!r} is no base URL. Give one such as https://api.openai.com/v1 or "
            "http://127.0.0.1:8000/v1."
        )
    if parts.username is not None:
        raise BadInput(
            "A base URL takes no user name and no password. Put the key into an environment "
            "variable and give that variable's name."
        )


def _check_magic(path: Path) -> None:
    if not path.is_file():
        raise NotAGguf(f"{path} is no file. Give the path of a .gguf file.")
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise NotAGguf(
                f"{path} is no GGUF file. Convert the model first: `python -m trainer export`."
            )
