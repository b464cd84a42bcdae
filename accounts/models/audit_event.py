"""Audit log of accounts, keys and models."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """One event; a trigger refuses updates, and deletes of rows younger than 90 days.

    Deleting an account leaves its number in `user_id` without a name. `network` is the client's /24 or /48.
    """

    class Kind(models.TextChoices):
        SIGNED_UP = "signed_up", "account created"
        SIGNED_IN = "signed_in", "signed in"
        SIGN_IN_FAILED = "sign_in_failed", "sign-in failed"
        PASSWORD_CHANGED = "password_changed", "password changed"
        PASSWORD_RESET = "password_reset", "password reset by e-mail"
        EMAIL_CHANGED = "email_changed", "e-mail address changed"
        PROVIDER_CONNECTED = "provider_connected", "account connected"
        PROVIDER_REMOVED = "provider_removed", "connected account removed"
        KEY_CREATED = "key_created", "API key created"
        KEY_REVOKED = "key_revoked", "API key revoked"
        DATA_EXPORTED = "data_exported", "data exported"
        CHANGED_BY_STAFF = "changed_by_staff", "changed by staff"
        ACCOUNT_DELETED = "account_deleted", "account deleted"
        MODEL_PROMOTED = "model_promoted", "model promoted"
        MODEL_ROLLED_BACK = "model_rolled_back", "model rolled back"
        AUDIT_PRUNED = "audit_pruned", "old events deleted"

    kind = models.CharField(max_length=20, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
    )
    detail = models.CharField(max_length=200, blank=True)
    network = models.CharField(max_length=43, blank=True)
    recorded_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["-recorded_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["user", "-recorded_at"], name="audit_event_by_user")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.detail}".strip()
