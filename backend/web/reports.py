"""The rubric for raters, and the tables that come out of ratings."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from backend.domain.rubric import WEIGHT_TOTAL, rubric_named
from backend.web import context

bp = Blueprint("reports", __name__, url_prefix="/api/v1")


@bp.get("/rubric")
def get_rubric() -> ResponseReturnValue:
    """Criteria, weights and anchor texts: the widget keeps no copy."""
    rubric = rubric_named(request.args.get("name") or context.settings().rubric)
    return {
        "name": rubric.name,
        "version": rubric.version,
        "title": rubric.title,
        "weight_total": WEIGHT_TOTAL,
        "criteria": [
            {
                "key": one.key,
                "label": one.label,
                "question": one.question,
                "weight": one.weight,
                "anchors": list(one.anchors),
            }
            for one in rubric.criteria
        ],
    }
