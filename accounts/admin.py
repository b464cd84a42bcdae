"""People for staff: found and made by e-mail address; and what happened to their accounts, which nobody changes."""

from importlib import import_module
from typing import ClassVar

from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import Acceptance, AuditEvent, User
from marketdata.admin import ReadOnlyAdmin

# Vendors are set up by the environment, and their tokens are not kept.
import_module("allauth.socialaccount.admin")
admin.site.unregister((Group, SocialApp, SocialToken))


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    ordering = ("email",)
    list_display = ("email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "first_name", "last_name")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ["email", "password"]}),
        ("Name", {"fields": ["first_name", "last_name"]}),
        ("What they may do", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    )
    add_fieldsets = ((None, {"fields": ["email", "usable_password", "password1", "password2"]}),)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Groups in the look of the rest."""


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
            return "nobody known"
        return f"deleted account {event.user_id}" if event.user is None else event.user.email


@admin.register(Acceptance)
class AcceptanceAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["accepted_at", "user", "document", "version", "network"]
    list_filter: ClassVar = ["document", "version"]
    search_fields: ClassVar = ["user__email"]
    list_select_related: ClassVar = ["user"]
