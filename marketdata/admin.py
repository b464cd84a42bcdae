"""Market data for staff: instruments, what was refused, and how ingestions went."""

from typing import ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from marketdata.calendars import known_exchanges
from marketdata.errors import SymbolMalformed
from marketdata.jobs import INGEST, enqueue
from marketdata.models import IngestionRun, Instrument, NewsArticle, QuarantinedBar, SentimentDay
from marketdata.selectors import canonical_symbol


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the machinery writes."""

    list_fullwidth = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class InstrumentForm(forms.ModelForm):
    """Symbols in their stored form, exchanges that have a calendar."""

    class Meta:
        model = Instrument
        fields: ClassVar = ["symbol", "mic", "name", "sector", "currency", "tick", "is_active"]

    def clean_symbol(self) -> str:
        try:
            return canonical_symbol(self.cleaned_data["symbol"])
        except SymbolMalformed as error:
            raise ValidationError(str(error)) from error

    def clean_mic(self) -> str:
        mic: str = self.cleaned_data["mic"].upper()
        if mic not in known_exchanges():
            raise ValidationError(f"{mic} has no calendar of sessions; XNYS and XNAS do.")
        return mic


@admin.register(Instrument)
class InstrumentAdmin(ModelAdmin):
    form = InstrumentForm
    list_display: ClassVar = ["symbol", "name", "mic", "sector", "is_active", "source", "basis_date"]
    list_filter: ClassVar = ["is_active", "mic", "sector"]
    search_fields: ClassVar = ["symbol", "name"]
    fields: ClassVar = [
        ("symbol", "mic"),
        "name",
        "sector",
        ("currency", "tick"),
        "is_active",
        ("source", "basis_date"),
    ]
    readonly_fields: ClassVar = ["source", "basis_date"]
    actions: ClassVar = ["fetch_bars"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """An instrument that is no longer wanted is made inactive; its record stays."""
        return False

    @admin.action(description="Fetch bars now", permissions=["change"])
    def fetch_bars(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        enqueue(INGEST, list(queryset.values_list("pk", flat=True)))
        messages.success(request, "The bars are being fetched; see the ingestion runs for how it goes.")


@admin.register(QuarantinedBar)
class QuarantinedBarAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["instrument", "session", "rule", "reason", "source", "seen_at"]
    list_filter: ClassVar = ["rule", "source"]
    list_select_related: ClassVar = ["instrument"]
    search_fields: ClassVar = ["instrument__symbol"]
    date_hierarchy = "session"


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
