"""The rubric for raters, and the tables that come out of ratings."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from backend.domain.errors import BadInput
from backend.domain.rubric import ORIGINAL, WEIGHT_TOTAL, in_language, languages, rubric_named
from backend.services.report import as_csv, as_value, report
from backend.web import auth, context

bp = Blueprint("reports", __name__, url_prefix="/api/v1")


@bp.get("/rubric")
def get_rubric() -> ResponseReturnValue:
    """Criteria, weights and anchor texts, in the caller's language: the widget keeps no copy."""
    language = _language()
    rubric = rubric_named(request.args.get("name") or context.settings().rubric)
    rubric = in_language(rubric, language)
    return {
        "name": rubric.name,
        "language": language,
        "version": rubric.version,
        "title": rubric.title,
        "weight_total": WEIGHT_TOTAL,
        "criteria": [
            {
                "key": criterion.key,
                "label": criterion.label,
                "question": criterion.question,
                "weight": criterion.weight,
                "anchors": list(criterion.anchors),
            }
            for criterion in rubric.criteria
        ],
    }


def _language() -> str:
    """That of `language`, else the best of `Accept-Language`, else the original."""
    asked = request.args.get("language", "").lower().replace("_", "-").split("-")[0]
    if asked:
        return asked if asked in languages() else ORIGINAL
    return request.accept_languages.best_match(languages(), default=ORIGINAL) or ORIGINAL


@bp.get("/reports/<name>")
def get_report(name: str) -> ResponseReturnValue:
    """The table `counts`, `shares` or `means` of a rubric, as JSON or with `format=csv` as CSV."""
    auth.require_admin()  # a row that grows would tell who was just rated
    version = request.args.get("version", "")
    if version and not (version.isascii() and version.isdigit() and len(version) < 10):
        raise BadInput(f"version is {version!r}; give a rubric's version, such as 1.")
    rubric = rubric_named(
        request.args.get("rubric") or context.settings().rubric, int(version) if version else None
    )
    names = [name for name in request.args.get("models", "").split(",") if name]
    table = report(name, rubric, models=names, db=context.store())
    form = request.args.get("format", "json")
    if form == "csv":
        disposition = f'attachment; filename="{name}-{rubric.name}.csv"'
        return Response(
            as_csv(table), mimetype="text/csv", headers={"Content-Disposition": disposition}
        )
    if form != "json":
        raise BadInput(f"format is {form!r}; there is json and csv.")
    return {"rubric": rubric.name, "version": rubric.version, **as_value(table)}
