"""Exporting Zoho Desk or CRM into a private folder of raw records: forecast, export, pruning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import BadInput, ZohoForbidden
from backend.services.connect_zoho import sign_in_folder
from backend.settings import Settings, ZohoSettings
from backend.zoho.client import Api, RetryPolicy, open_api
from backend.zoho.connection import ConnectionFile, Tokens
from backend.zoho.credit_forecast import Days, Forecast, days, forecast
from backend.zoho.credits import PLANS, Budget
from backend.zoho.oauth import PRODUCT_NAMES, missing_scopes, scope_advice
from backend.zoho.sync import (
    ExportReport,
    ExportRequest,
    Limits,
    Watch,
    export_all,
    next_run,
    prune_folder,
    sources,
)
from backend.zoho.sync_state import ExportFolder, open_export_folder

_LONG_STREAM = {"desk": "desk/tickets", "crm": "crm/cases"}


@dataclass(frozen=True)
class ZohoExport:
    """One product to export, with all that it takes."""

    request: ExportRequest
    api: Api
    folder: ExportFolder
    limits: Limits

    @property
    def name(self) -> str:
        """What the product is called."""
        return PRODUCT_NAMES[self.request.product]

    @property
    def budget(self) -> Budget:
        """What was spent, and what may still be."""
        return self.api.budget

    @property
    def is_interrupted(self) -> bool:
        """Whether an earlier export is to be finished first."""
        states = (self.folder.state(source.stream) for source in sources(self.api))
        return any(state.progress().run is not None for state in states)

    def forecast(self) -> Forecast:
        """What the export will cost, by a few cheap calls."""
        state = self.folder.state(_LONG_STREAM[self.request.product])
        until = self.api.zoho_now()
        run = next_run(state, self.request, self.limits, until=until, first=True)
        return forecast(self.api, run)

    def days(self, found: Forecast, settings: ZohoSettings) -> list[Days]:
        """How long a forecast takes by edition, or in the edition that the settings name."""
        limits = self.limits
        table = days(found, users=settings.users, leave=limits.leave, budget=limits.credits)
        return [row for row in table if settings.edition in ("", row.edition)]

    def run(self, watch: Watch) -> ExportReport:
        """Exports, from where the last export got to. Raises what a call to Zoho raises."""
        return export_all(
            self.request, api=self.api, folder=self.folder, limits=self.limits, watch=watch
        )


@contextmanager
def open_export(
    product: str,
    *,
    settings: Settings,
    path: Path,
    since: str | None = None,
    department: str = "*",
    credits: int | None = None,
) -> Iterator[ZohoExport]:
    """An export into a folder that no other writes into; what it spends is kept however it ends.

    `since` is ISO; `credits` stand over those of the settings. Raises Unavailable if another export
    writes there, ZohoNotConnected, and ZohoForbidden if the sign-in lacks a scope.
    """
    limits = export_limits(settings.zoho, product, credits)
    with open_export_folder(path) as folder, closing(folder.connect()) as database:
        budget = Budget(product, database=database, limit=limits.credits, leave=limits.leave)
        tokens = Tokens(ConnectionFile(sign_in_folder(settings)))
        api = open_export_api(product, tokens=tokens, budget=budget, limits=limits)
        try:
            yield ZohoExport(ExportRequest(product, since, department), api, folder, limits)
        finally:
            budget.save()


def export_limits(settings: ZohoSettings, product: str, credits: int | None = None) -> Limits:
    """What the settings, and `credits` over them, let an export use."""
    plan = PLANS[product].get(settings.edition)
    return Limits(
        credits=settings.credits if credits is None else credits,
        leave=settings.leave_credits,
        parallel=min(settings.parallel, plan.parallel) if plan else settings.parallel,
        keep_days=settings.keep_raw_days,
        recheck_days=settings.recheck_days,
        retry_policy=RetryPolicy(longest_wait_seconds=settings.wait_seconds),
    )


def open_export_api(product: str, *, tokens: Tokens, budget: Budget, limits: Limits) -> Api:
    """The API of a product. Raises ZohoForbidden if the sign-in lacks a scope of its export."""
    scopes = tokens.connection.scopes
    if missing_scopes(scopes, product):
        raise ZohoForbidden(
            f"{PRODUCT_NAMES[product]} cannot be exported. {scope_advice(scopes, product)}"
        )
    return open_api(product, tokens=tokens, budget=budget, retry_policy=limits.retry_policy)


def raw_folder(settings: Settings) -> Path:
    """Where raw records go unless another folder is named."""
    return sign_in_folder(settings) / "raw"


def prune(path: Path, *, keep_days: int) -> Iterator[str]:
    """Deletes raw records exported more than `keep_days` ago; a sentence for each stream.

    Raises BadInput for 0 days, which means that raw records are kept.
    """
    if not keep_days:
        raise BadInput(
            "zoho.keep_raw_days is 0, so raw records are kept. Set it to a number of days."
        )
    yield from prune_folder(path, keep_days=keep_days)
