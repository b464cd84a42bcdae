"""Admin of rules, alerts and deliveries: read-only, except that a rule can be deactivated."""

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from alerts.models import Alert, DeliveryAttempt, Rule
from marketdata.admin import ReadOnlyAdmin, ReadOnlyMixin


@admin.register(Rule)
class RuleAdmin(ModelAdmin):
    list_display: ClassVar = ["instrument", "phrase", "user", "is_active", "is_armed", "created_at"]
    list_filter: ClassVar = ["kind", "is_active", "is_armed"]
    list_select_related: ClassVar = ["instrument", "user"]
    search_fields: ClassVar = ["instrument__symbol", "user__email"]
    readonly_fields: ClassVar = [
        "user",
        "instrument",
        "kind",
        "signal",
        "horizon_sessions",
        "threshold",
        "is_armed",
        "created_at",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class DeliveryAttemptInline(ReadOnlyMixin, TabularInline):
    model = DeliveryAttempt
    extra = 0
    fields: ClassVar = ["channel", "recipient", "status", "error", "started_at", "finished_at"]


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["subject", "session", "raised_at", "sent_at"]
    list_filter: ClassVar = ["session"]
    search_fields: ClassVar = ["subject", "rule__user__email"]
    inlines: ClassVar = [DeliveryAttemptInline]
