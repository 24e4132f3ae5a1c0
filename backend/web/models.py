"""Models for admins: list, register, activate, promote, roll back, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from backend.domain.errors import BadInput
from backend.services import deploy
from backend.services.status import model_states
from backend.web import auth, context, payloads

bp = Blueprint("models", __name__, url_prefix="/api/v1/models")


@bp.before_request
def admins_only() -> None:
    """Model names would break the blindness of raters, so all of this is for admins."""
    auth.require_admin()


@bp.get("")
def get_models() -> ResponseReturnValue:
    """All models, what runs of them, and the last promotions."""
    return _all()


@bp.post("")
def post_model() -> ResponseReturnValue:
    """Register a model."""
    payload = payloads.read(payloads.ModelPayload)
    db = context.store()
    if payload.kind == "gguf":
        if not payload.path:
            raise BadInput("A GGUF needs `path`: where the file lies on this server.")
        deploy.add_gguf(
            Path(payload.path),
            name=payload.name,
            sha256=payload.sha256,
            active=payload.active,
            db=db,
        )
    elif payload.kind == "chat":
        deploy.add_chat(
            payload.name,
            payload.base_url,
            remote_name=payload.remote_name,
            key_variable=payload.key_variable,
            active=payload.active,
            db=db,
        )
    else:
        deploy.add_nearest(name=payload.name or "nearest", active=payload.active, db=db)
    return _all(), 201


@bp.post("/<name>/activate")
def post_activate(name: str) -> ResponseReturnValue:
    """The model answers clicks from now on."""
    deploy.activate(name, db=context.store())
    return _all()


@bp.post("/<name>/deactivate")
def post_deactivate(name: str) -> ResponseReturnValue:
    """The model answers no new click from now on."""
    deploy.deactivate(name, db=context.store())
    return _all()


@bp.post("/<name>/promote")
def post_promote(name: str) -> ResponseReturnValue:
    """`production` becomes this model once it has answered."""
    deploy.promote(name, db=context.store())
    return _all(), 202


@bp.post("/<name>/rollback")
def post_rollback(name: str) -> ResponseReturnValue:
    """`production`, which is this model, becomes again what it was before."""
    deploy.roll_back(name, db=context.store())
    return _all(), 202


@bp.delete("/<name>")
def delete_model(name: str) -> ResponseReturnValue:
    """Take the model out for good; its ratings stay."""
    deploy.remove(name, db=context.store())
    return _all()


def _all() -> dict[str, Any]:
    db = context.store()
    return {
        "models": [
            {
                "name": found.model.name,
                "kind": found.model.kind,
                "active": found.model.active,
                "state": found.state,
                "problem": found.problem or None,
                "aliases": list(found.aliases),
                "base_url": found.model.base_url or None,
                "sha256": found.model.sha256 or None,
            }
            for found in model_states(db)
        ],
        "promotions": [
            {
                "alias": promotion.alias,
                "model": promotion.model,
                "replaced": promotion.replaced,
                "state": promotion.state,
                "problem": promotion.problem or None,
                "created": promotion.created,
            }
            for promotion in deploy.last_promotions(db)
        ],
    }
