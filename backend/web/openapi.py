"""The OpenAPI document, made from the routes and payloads; a test holds the rest against them."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from backend.web import payloads

bp = Blueprint("openapi", __name__, url_prefix="/api/v1")

BODIES: dict[str, type[BaseModel]] = {
    "suggestions.post_suggestion": payloads.SuggestionPayload,
    "suggestions.post_rating": payloads.RatingPayload,
    "suggestions.post_outcome": payloads.OutcomePayload,
    "models.post_model": payloads.ModelPayload,
}
_STATUS = {
    "suggestions.post_suggestion": 202,
    "suggestions.post_rating": 201,
    "suggestions.post_outcome": 201,
    "models.post_model": 201,
    "models.post_promote": 202,
    "models.post_rollback": 202,
}
_QUERY = {
    "suggestions.get_used": ("ticket", "rater"),
    "suggestions.get_suggestion": ("wait", "since", "rater"),
    "suggestions.get_events": ("rater",),
    "suggestions.post_suggestion": ("rater",),
    "suggestions.delete_suggestion": ("rater",),
    "suggestions.post_rating": ("rater",),
    "suggestions.post_outcome": ("rater",),
    "reports.get_rubric": ("name", "language"),
    "reports.get_report": ("rubric", "version", "models", "format"),
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is so and what to do"},
    },
}


@bp.get("/openapi.json")
def get_openapi() -> ResponseReturnValue:
    """This document."""
    return document()


def document() -> dict[str, Any]:
    """Every route of this app under `/api/v1`."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in current_app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1"):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(rule.endpoint, path)
    schemas = {"Problem": _PROBLEM}
    for kind in BODIES.values():
        schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[kind.__name__] = schema
    return {
        "openapi": "3.1.0",
        "info": {"title": "suggest answer", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _operation(endpoint: str, path: str) -> dict[str, Any]:
    summary = (current_app.view_functions[endpoint].__doc__ or "").strip().splitlines()[0]
    parameters = [_parameter(name, "path") for name in re.findall(r"{(\w+)}", path)]
    parameters += [_parameter(name, "query") for name in _QUERY.get(endpoint, ())]
    parameters += [_parameter(name, "header") for name in _headers(endpoint)]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, Any] = {
        "operationId": endpoint,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            str(_STATUS.get(endpoint, 200)): {"description": summary},
            "default": {"description": "A problem", "content": problem},
        },
    }
    if endpoint in BODIES:
        reference = {"$ref": f"#/components/schemas/{BODIES[endpoint].__name__}"}
        content = {"application/json": {"schema": reference}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _headers(endpoint: str) -> list[str]:
    names = ["X-Rater"] if "rater" in _QUERY.get(endpoint, ()) else []
    return [*names, "Last-Event-ID"] if endpoint == "suggestions.get_events" else names


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
