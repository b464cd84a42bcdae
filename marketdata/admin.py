"""Admin of instruments, quarantined bars, ingestion runs, news and data sources."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from marketdata import clock
from marketdata.calendars import is_session, shares_calendar, supported_exchanges
from marketdata.errors import SymbolMalformed
from marketdata.history_review_admin import HistoryReviewAdmin
from marketdata.jobs import BACKFILL, INGEST, enqueue
from marketdata.models import (
    Backfill,
    HistoryReview,
    IngestionRun,
    Instrument,
    NewsArticle,
    ProviderHealth,
    QuarantinedBar,
    Quote,
    SentimentDay,
    SymbolAlias,
)
from marketdata.selectors import canonical_symbol, configured_sources, latest_home_session
from marketdata.services.backfill import request_backfill
from marketdata.symbol_admin import SymbolSearchAdmin


class ReadOnlyMixin:
    """Denies adding, changing and deleting rows."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnlyMixin, ModelAdmin):
    """Admin of rows that only services write."""

    list_fullwidth = True


class InstrumentForm(forms.ModelForm):
    """Validates symbol, exchange and delisting date."""

    class Meta:
        model = Instrument
        fields: ClassVar = ["symbol", "mic", "name", "sector", "currency", "tick", "is_active", "delisted_on"]

    def clean_symbol(self) -> str:
        try:
            return canonical_symbol(self.cleaned_data["symbol"])
        except SymbolMalformed as error:
            raise ValidationError(str(error)) from error

    def clean_mic(self) -> str:
        mic: str = self.cleaned_data["mic"].upper()
        if mic not in supported_exchanges():
            raise ValidationError(f"{mic} has no trading calendar. Use the MIC of a supported exchange, such as XNYS.")
        return mic

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        last, mic = values.get("delisted_on"), values.get("mic")
        if mic and self.instance.pk and not shares_calendar(mic, self.initial["mic"]) and self.instance.bars.exists():
            raise ValidationError({"mic": f"Stored bars follow the calendar of {self.initial['mic']}."})
        if last and mic and not is_session(mic, last):
            raise ValidationError({"delisted_on": f"{last} is not a session of {mic}."})
        if last and values.get("is_active"):
            raise ValidationError({"is_active": "A delisted instrument cannot be active."})
        return values


class SymbolAliasForm(forms.ModelForm):
    """Stores aliases in the form used by look-ups."""

    class Meta:
        model = SymbolAlias
        fields: ClassVar = ["vendor", "symbol"]

    def clean_symbol(self) -> str:
        symbol: str = self.cleaned_data["symbol"].strip().upper()
        return symbol


class SymbolAliasInline(TabularInline):
    model = SymbolAlias
    form = SymbolAliasForm
    extra = 0


@admin.register(Instrument)
class InstrumentAdmin(SymbolSearchAdmin):
    form = InstrumentForm
    list_display: ClassVar = ["symbol", "name", "mic", "sector", "is_active", "delisted_on", "source", "basis_date"]
    list_filter: ClassVar = ["is_active", "mic", "sector"]
    search_fields: ClassVar = ["symbol", "name", "aliases__symbol"]
    inlines: ClassVar = [SymbolAliasInline]
    fields: ClassVar = [
        ("symbol", "mic"),
        "name",
        "sector",
        ("currency", "tick"),
        ("is_active", "delisted_on"),
        ("source", "basis_date"),
    ]
    readonly_fields: ClassVar = ["source", "basis_date"]
    actions: ClassVar = ["fetch_bars", "start_backfill"]
    actions_list: ClassVar = ["find_symbol"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Deny deletion; instruments are deactivated instead."""
        return False

    @admin.action(description="Fetch bars now", permissions=["change"])
    def fetch_bars(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        enqueue(INGEST, list(queryset.values_list("pk", flat=True)))
        messages.success(request, "Fetching bars. See the ingestion runs for progress.")

    @admin.action(description="Backfill history in the background", permissions=["change"])
    def start_backfill(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        now = clock.now()
        backfill = request_backfill(instruments=queryset, through=latest_home_session(now), now=now)
        enqueue(BACKFILL, backfill.pk)
        messages.success(request, "Backfill started. See the backfills for progress.")


@admin.register(Backfill)
class BackfillAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["created_at", "progress", "through", "status", "failed_symbols", "finished_at"]
    list_filter: ClassVar = ["status"]

    @display(description="progress")
    def progress(self, backfill: Backfill) -> str:
        return f"{backfill.done} of {len(backfill.instrument_pks)}"


@admin.register(QuarantinedBar)
class QuarantinedBarAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["instrument", "session", "rule", "reason", "source", "seen_at"]
    list_filter: ClassVar = ["rule", "source"]
    list_select_related: ClassVar = ["instrument"]
    search_fields: ClassVar = ["instrument__symbol"]
    date_hierarchy = "session"


admin.site.register(HistoryReview, HistoryReviewAdmin)


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["instrument", "price", "as_of", "previous_close", "source", "is_delayed", "received_at"]
    list_filter: ClassVar = ["source", "is_delayed"]
    list_select_related: ClassVar = ["instrument"]
    search_fields: ClassVar = ["instrument__symbol"]


@admin.register(IngestionRun)
class IngestionRunAdmin(ReadOnlyAdmin):
    list_display: ClassVar = [
        "started_at",
        "instrument",
        "status_label",
        "provider",
        "bars_new",
        "bars_changed",
        "bars_unchanged",
        "bars_quarantined",
        "detail",
    ]
    list_filter: ClassVar = ["status", "provider"]
    list_select_related: ClassVar = ["instrument"]
    search_fields: ClassVar = ["instrument__symbol"]

    @display(
        description="status",
        ordering="status",
        label={"done": "success", "running": "info", "failed": "danger"},
    )
    def status_label(self, run: IngestionRun) -> str:
        return run.status


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin):
    list_display: ClassVar = [
        "provider",
        "uses",
        "state_label",
        "detail",
        "latency_ms",
        "calls_today",
        "calls_left",
        "runs_out_at",
        "paused_until",
        "checked_at",
    ]
    list_filter: ClassVar = ["state"]

    @display(description="uses")
    def uses(self, health: ProviderHealth) -> str:
        return ", ".join(next((source.uses for source in configured_sources() if source.name == health.provider), ()))

    @display(
        description="state",
        ordering="state",
        label={"ok": "success", "degraded": "warning", "down": "danger", "unknown": "info", "off": "info"},
    )
    def state_label(self, health: ProviderHealth) -> str:
        return health.state


@admin.register(NewsArticle)
class NewsArticleAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["published_at", "title", "source", "provider", "is_social"]
    list_filter: ClassVar = ["provider", "is_social"]
    search_fields: ClassVar = ["title", "url", "mentions__instrument__symbol"]
    date_hierarchy = "published_at"


@admin.register(SentimentDay)
class SentimentDayAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["session", "instrument", "scorer", "score", "count", "dispersion"]
    list_filter: ClassVar = ["scorer"]
    list_select_related: ClassVar = ["instrument"]
    search_fields: ClassVar = ["instrument__symbol"]
