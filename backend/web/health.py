"""For machines that watch: liveness, readiness, Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from backend.services.database import Database
from backend.services.status import model_states, queue_length, ready, totals
from backend.web import auth, context

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def get_healthz() -> ResponseReturnValue:
    """The web process lives and reads its database."""
    queue_length(context.store())
    return {"status": "ok"}


@bp.get("/readyz")
def get_readyz() -> ResponseReturnValue:
    """200 once every active model has answered or failed, and at least one can answer."""
    states = [found.state for found in model_states(context.store()) if found.model.active]
    is_ready = ready(context.store(), named=context.settings().suggest.models)
    body = {
        "status": "ready" if is_ready else "not ready",
        "models": states,
    }
    return body, 200 if is_ready else 503


@bp.get("/metrics")
def get_metrics() -> ResponseReturnValue:
    """Prometheus text, read off the database: the same whichever process answers."""
    auth.require_admin()  # counts by model would tell who just finished
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StoreCollector(context.store()))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


class _StoreCollector(Collector):
    def __init__(self, db: Database) -> None:
        self._db = db

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "suggest_answer_queue",
            "Candidates waiting or written now",
            queue_length(self._db),
        )
        candidates = CounterMetricFamily(
            "suggest_answer_candidates", "Candidates by model and end", labels=["model", "state"]
        )
        tokens = CounterMetricFamily(
            "suggest_answer_tokens", "Tokens read, reused and written", labels=["model", "kind"]
        )
        seconds = SummaryMetricFamily(
            "suggest_answer_seconds", "From click to the end of a reply", labels=["model"]
        )
        for row in totals(self._db):
            candidates.add_metric([row["model"], row["state"]], row["count"])
            if row["state"] == "done":
                for kind in ("prompt", "cached", "completion"):
                    tokens.add_metric([row["model"], kind], row[f"{kind}_tokens"])
                seconds.add_metric([row["model"]], row["count"], row["seconds"])
        yield from (candidates, tokens, seconds)
        states = GaugeMetricFamily(
            "suggest_answer_model_up", "1 where the model can answer", labels=["model"]
        )
        for found in model_states(self._db):
            states.add_metric([found.model.name], float(found.state in ("ready", "remote")))
        yield states
