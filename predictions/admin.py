"""Read-only admin of forecasts, outcomes, the ledger and batch jobs."""

from typing import Any, ClassVar

from django.contrib import admin
from unfold.admin import TabularInline

from marketdata.admin import ReadOnlyAdmin, ReadOnlyMixin
from predictions.models import (
    BatchJob,
    Forecast,
    HeadPublication,
    LedgerCheck,
    LedgerHead,
    LedgerKey,
    Outcome,
    WitnessedHead,
)


class OutcomeInline(ReadOnlyMixin, TabularInline):
    model = Outcome
    extra = 0


@admin.register(Forecast)
class ForecastAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = [
        "instrument", "origin", "horizon_sessions", "target", "kind", "status", "signal", "last_price",
        "predicted_price", "probability_up", "base_rate_up", "risk_level", "model_version",
    ]  # fmt: skip
    list_filter: ClassVar[Any] = [
        "kind",
        "status",
        "horizon_sessions",
        "signal",
        "risk_level",
        "model_version",
        "origin",
    ]
    list_select_related: ClassVar[Any] = ["instrument", "model_version"]
    search_fields: ClassVar[Any] = ["=instrument__symbol", "entry_hash"]
    exclude: ClassVar[Any] = ["inputs"]
    inlines: ClassVar[Any] = [OutcomeInline]
    date_hierarchy = "origin"
    show_full_result_count = False


@admin.register(Outcome)
class OutcomeAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = [
        "forecast", "revision", "actual_price", "error", "went_up", "direction_right", "inside_80", "inside_95",
        "inside_99", "recorded_at",
    ]  # fmt: skip
    list_filter: ClassVar[Any] = [
        "revision", "direction_right", "inside_80", "inside_95", "inside_99", "forecast__horizon_sessions",
    ]  # fmt: skip
    list_select_related: ClassVar[Any] = ["forecast"]
    search_fields: ClassVar[Any] = ["=forecast__instrument__symbol"]
    show_full_result_count = False


@admin.register(LedgerHead)
class LedgerHeadAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = ["day", "count", "head_hash", "recorded_at"]
    date_hierarchy = "day"


@admin.register(LedgerKey)
class LedgerKeyAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = ["key_id", "public_key", "added_at", "endorsed_by"]


@admin.register(HeadPublication)
class HeadPublicationAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = ["head", "witness", "published_at", "attempts", "attempted_at", "error"]
    list_select_related: ClassVar[Any] = ["head"]
    show_full_result_count = False


@admin.register(WitnessedHead)
class WitnessedHeadAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = ["day", "count", "head_hash", "public_key", "received_at"]
    date_hierarchy = "day"
    show_full_result_count = False


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = ["checked_at", "forecasts", "seconds", "fault"]
    show_full_result_count = False


@admin.register(BatchJob)
class BatchJobAdmin(ReadOnlyAdmin):
    list_display: ClassVar[Any] = [
        "id",
        "owner",
        "horizon_sessions",
        "state",
        "done",
        "problems",
        "total",
        "created_at",
    ]
    list_filter: ClassVar[Any] = ["state", "horizon_sessions"]
    list_select_related: ClassVar[Any] = ["owner"]
    search_fields: ClassVar[Any] = ["owner__email", "=id"]
