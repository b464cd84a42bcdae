"""Admin of users, plans, API keys, token families and usage, and the read-only audit and request logs."""

from importlib import import_module
from typing import Any, ClassVar

from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.errors import LastAdministrator
from accounts.models import Acceptance, ApiKey, AuditEvent, Plan, RequestLog, TokenFamily, UsageDay, User
from accounts.selectors import include_all_administrators
from accounts.services.api_keys import revoke_api_key
from accounts.services.audit import record
from accounts.services.deletion import delete_account
from accounts.services.tokens import revoke_family
from accounts.wall_clock import utc_now
from marketdata.admin import ReadOnlyAdmin, ReadOnlyMixin

Kind = AuditEvent.Kind

# Identity providers are configured by the environment, and their tokens are not stored.
import_module("allauth.socialaccount.admin")
admin.site.unregister((Group, SocialApp, SocialToken))


class AcceptanceInline(ReadOnlyMixin, TabularInline):
    """Documents that the user accepted."""

    model = Acceptance
    fields = ("document", "version", "accepted_at", "network")
    extra = 0


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    ordering = ("email",)
    list_display = ("email", "first_name", "last_name", "plan", "is_active", "is_staff", "last_login")
    list_filter = ("plan", "is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "first_name", "last_name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ["email", "password", "plan"]}),
        ("Name", {"fields": ["first_name", "last_name"]}),
        (
            "Permissions",
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    )
    add_fieldsets = ((None, {"fields": ["email", "usable_password", "password1", "password2"]}),)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> "list[type[InlineModelAdmin[Any, Any]]]":
        return [] if obj is None else [AcceptanceInline]

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Allow deleting the user's rows without permissions of their own, and protect the last administrator."""
        listed, counts, _missing, protected = super().get_deleted_objects(objs, request)
        last = [str(LastAdministrator())] if include_all_administrators(objs) else []
        return listed, counts, set(), [*protected, *last]

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> LogEntry:
        """Record the change, so that it appears in the user's recent activity."""
        record(kind=Kind.CHANGED_BY_STAFF, user=obj, now=utc_now(), detail=_by(request))
        return super().log_change(request, obj, message)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_account(user=obj, now=utc_now(), detail=_by(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self.delete_model(request, user)


def _by(request: HttpRequest) -> str:
    return f"by account {request.user.pk}"


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Groups in the admin's theme."""


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["recorded_at", "kind", "who", "detail", "network"]
    list_filter: ClassVar = ["kind", "recorded_at"]
    search_fields: ClassVar = ["user__email", "=user__id", "detail", "network"]
    list_select_related: ClassVar = ["user"]
    date_hierarchy = "recorded_at"
    fields: ClassVar = list_display

    @display(description="who", ordering="user")
    def who(self, event: AuditEvent) -> str:
        if event.user_id is None:
            return "unknown"
        return f"deleted account {event.user_id}" if event.user is None else event.user.email


@admin.register(Plan)
class PlanAdmin(ModelAdmin):
    """Rate limits; a saved change applies in every process within a second."""

    list_display = ("name", "calls_per_minute", "per_day")

    @admin.display(description="calls per minute", ordering="per_minute")
    def calls_per_minute(self, plan: Plan) -> str:
        """Return the limit or "no limit"."""
        return "no limit" if plan.per_minute is None else str(plan.per_minute)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Require limits of at least one call, as the table's constraint does."""
        minimum = {"min_value": 1} if db_field.name in ("per_minute", "per_day") else {}
        return super().formfield_for_dbfield(db_field, request, **minimum, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Make the primary key read-only once stored, because users refer to it."""
        return [] if obj is None else ["name"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to delete built-in plans."""
        return not (isinstance(obj, Plan) and obj.is_built_in) and super().has_delete_permission(request, obj)


class _NotAddable(ModelAdmin):
    """Rows that only the platform creates."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class _Revocable(_NotAddable):
    """Credentials that staff can revoke but not delete; the owner sees the revocation in the recent activity."""

    actions: ClassVar = ["revoke"]

    @admin.action(description="Revoke permanently", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Revoke the selected rows."""
        for row in queryset:
            self.revoke_one(row, _by(request))
        self.message_user(request, "Revoked. It stops working within a second.")

    def revoke_one(self, row: Any, detail: str) -> None:
        """Revoke one row."""
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(_Revocable):
    """API keys: staff can rename and revoke them and change their expiry."""

    list_display = ("prefix", "name", "owner", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("owner",)
    search_fields = ("prefix", "name", "owner__email")
    list_filter = ("created_at", "pepper_id")
    readonly_fields = ("owner", "prefix", "scopes", "created_at", "last_used_at", "revoked_at")
    fields: ClassVar = ["name", "owner", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"]

    def revoke_one(self, row: ApiKey, detail: str) -> None:
        revoke_api_key(owner=row.owner, key_id=row.pk, now=utc_now(), detail=detail)

    def log_change(self, request: HttpRequest, obj: ApiKey, message: Any) -> LogEntry:
        """Record the change, so that it appears in the owner's recent activity."""
        record(kind=Kind.CHANGED_BY_STAFF, user=obj.owner, now=utc_now(), detail=f"key {obj.prefix} {_by(request)}")
        return super().log_change(request, obj, message)


@admin.register(TokenFamily)
class TokenFamilyAdmin(_Revocable):
    """API sessions; revoking one ends all its tokens."""

    list_display = ("user", "created_at", "expires_at", "revoked_at", "reason")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    readonly_fields = ("user", "created_at", "expires_at", "revoked_at", "reason")
    fields: ClassVar = ["user", "created_at", "expires_at", "revoked_at", "reason"]

    def revoke_one(self, row: TokenFamily, detail: str) -> None:
        if revoke_family(family_id=row.pk, reason="by staff", now=utc_now()):
            record(kind=Kind.CHANGED_BY_STAFF, user=row.user, now=utc_now(), detail=f"API session revoked {detail}")


@admin.register(UsageDay)
class UsageDayAdmin(_NotAddable):
    """Calls by user, key, day and endpoint."""

    list_display = ("day", "user", "key", "endpoint", "calls", "errors")
    list_select_related = ("user", "key")
    list_filter = ("day", "endpoint")
    search_fields = ("user__email", "key__prefix")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Make the rows read-only."""
        return False


@admin.register(RequestLog)
class RequestLogAdmin(_NotAddable):
    """Request log of the API."""

    list_display = ("at", "method", "path", "status", "duration_ms", "user", "key", "network")
    list_select_related = ("user", "key")
    list_filter = ("status", "method")
    search_fields = ("path", "user__email", "request_id")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Make the rows read-only."""
        return False
